"""From what the user named to files, folders and their formats."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePath

from fer_models.data.config import SYNTHETIC
from fer_models.data.sources.findings import Findings
from fer_models.data.sources.opening import open_source
from fer_models.data.sources.text_rows import read_header

_PARQUET_MAGIC = b"PAR1"
_COMPRESSED = {
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"(\xb5/\xfd": "zstd",
    b"Rar!": "a rar archive",
    b"7z\xbc\xaf": "a 7z archive",
}
_HEAD_BYTES = 512
_NUM_NEAREST = 3
_MIN_LIKENESS = 0.6
_FERPLUS_MARKS = {"neutral", "happiness", "contempt", "nf"}


class SourceKind(StrEnum):
    """The format of a source."""

    SYNTHETIC = "synthetic"
    FOLDER = "folder"
    PIXEL_TABLE = "pixel table"
    PARQUET = "parquet"
    FERPLUS = "FER+ votes"


@dataclass(frozen=True)
class Source:
    """One source: as the user named it, and the names that stand in the snapshot."""

    named: str
    path: Path
    """Meaningless for synthetic faces."""
    name: str
    """File or folder name; never a path."""
    stem: str
    """Start of its image ids; differs from all other sources'."""
    kind: SourceKind | None
    """None when it can't be used; its findings say why."""


def locate_sources(named_sources: Sequence[str]) -> list[tuple[Source, Findings]]:
    """Find every source and its format; what is wrong stands in the findings."""
    located: list[tuple[Source, Findings]] = []
    stems: set[str] = set()
    for number, named in enumerate(named_sources):
        findings = Findings(named or "''")
        kind: SourceKind | None = SourceKind.SYNTHETIC
        if named == SYNTHETIC:
            path, name = Path(), SYNTHETIC
            if named in named_sources[:number]:
                findings.refuse("named twice; name it once and raise data.synthetic.num_images")
        else:
            path = _expanded(named)
            # Not resolve(): a link's own name is what the user sees.
            name = PurePath(os.path.normpath(path.absolute())).name or "root"
            kind = _kind_if_usable(named, path, name, findings)
        stem = _unique(name if kind is SourceKind.FOLDER else PurePath(name).stem, stems)
        stems.add(stem)
        located.append((Source(named, path, name, stem, kind), findings))
    return located


def _expanded(named: str) -> Path:
    try:
        return Path(named).expanduser()
    except RuntimeError:  # "~somebody" who isn't there
        return Path(named)


def is_utf8(name: str) -> bool:
    """Whether a file name is text that every machine can write down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unique(stem: str, taken: set[str]) -> str:
    candidate, number = stem, 2
    while candidate in taken:
        candidate, number = f"{stem}-{number}", number + 1
    return candidate


def _kind_if_usable(named: str, path: Path, name: str, findings: Findings) -> SourceKind | None:
    if not named.strip():
        findings.refuse("expected a file or folder, got an empty name; name one")
    elif "://" in named:
        findings.refuse("expected a file or folder of this machine; download it and name that")
    elif not is_utf8(name):
        findings.refuse("expected a name in UTF-8; rename it")
    else:
        try:
            return _kind_of(path, findings)
        except OSError as error:
            reason = error.strerror or error
            findings.refuse(f"can't be read ({reason}); check the path and the access rights")
    return None


def _kind_of(path: Path, findings: Findings) -> SourceKind | None:
    if path.is_dir():
        return SourceKind.FOLDER
    if not path.exists():
        findings.refuse(_missing(path))
        return None
    if not path.is_file():
        findings.refuse("expected a file or folder, got a device, pipe or socket; name another")
        return None
    return _kind_of_file(path, findings)


def _kind_of_file(path: Path, findings: Findings) -> SourceKind | None:
    with open_source(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if not head.strip():
        findings.refuse("the file is empty; copy or download it again")
        return None
    packed = next((what for magic, what in _COMPRESSED.items() if head.startswith(magic)), None)
    if packed:
        findings.refuse(f"is packed ({packed}); unpack it and name what was in it")
        return None
    if head.startswith(_PARQUET_MAGIC) or path.suffix.lower() == ".parquet":
        return SourceKind.PARQUET
    if b"\0" in head:
        findings.refuse(
            "expected a csv table, a parquet file or a folder of images, got another binary file; "
            "name one of them (a single image belongs into <folder>/<class>/)"
        )
        return None
    with open_source(path) as stream:
        is_ferplus = len(_FERPLUS_MARKS & set(read_header(stream))) > 1
    return SourceKind.FERPLUS if is_ferplus else SourceKind.PIXEL_TABLE


def _missing(path: Path) -> str:
    """The nearest thing that is there, for a path that isn't."""
    parent, name = path.absolute(), ""
    while not parent.exists():
        parent, name = parent.parent, parent.name
    if not parent.is_dir():
        return f"there is no such file or folder ({parent} is a file); correct the path"
    there = sorted(child.name for child in parent.iterdir() if not child.name.startswith("."))
    lowered = {SYNTHETIC: f"but there is the built-in source {SYNTHETIC}"}
    lowered |= {child.lower(): f"{parent} holds {child}" for child in there}
    near = difflib.get_close_matches(name.lower(), lowered, _NUM_NEAREST, cutoff=_MIN_LIKENESS)
    if near:
        offers = "; ".join(lowered[child] for child in near)
        return f"there is no such file or folder; {offers}: is that meant?"
    some = ", ".join(there[:_NUM_NEAREST]) + (", ..." if len(there) > _NUM_NEAREST else "")
    return f"there is no such file or folder; {parent} holds {some or 'nothing'}; correct the path"
