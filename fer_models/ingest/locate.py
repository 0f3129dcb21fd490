"""From what the user named to files, folders and their formats."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from fer_models.ingest.archive_member import SEPARATOR, Choice, choose
from fer_models.ingest.config import SYNTHETIC
from fer_models.ingest.files.archive import list_archive
from fer_models.ingest.files.compression import Compression, CompressionError, detect_compression
from fer_models.ingest.files.file_names import is_utf8
from fer_models.ingest.files.open import SourceFile
from fer_models.ingest.files.streams import open_stream
from fer_models.ingest.findings import Findings
from fer_models.ingest.source_kind import SourceKind, kind_of_content

_NUM_NEAREST = 3
_MIN_SIMILARITY = 0.6
_HEAD_BYTES = 1 << 16
_PACKED_SUFFIXES = (".gz", ".bz2", ".xz")


@dataclass(frozen=True)
class _Found:
    """What lies at a path; no kind where it can't be used."""

    kind: SourceKind | None = None
    member: str = ""
    is_packed: bool = False


@dataclass(frozen=True)
class Source:
    """One source: as the user named it, and the names that stand in the snapshot."""

    named: str
    path: Path
    """Meaningless for synthetic faces."""
    name: str
    """File or folder name, and what of an archive is read (`a.zip::b.csv`); never a path here."""
    stem: str
    """Start of its image ids; differs from all other sources'. The same, packed or not."""
    kind: SourceKind | None
    """None when it can't be used; its findings say why."""
    member: str = ""
    """What of an archive is read: a table or a folder; "" for all of it or no archive."""

    @property
    def file(self) -> SourceFile:
        """What is opened to read it."""
        return SourceFile(self.path, self.member)


def locate_sources(named_sources: Sequence[str]) -> list[tuple[Source, Findings]]:
    """Find every source and its format; what is wrong stands in the findings."""
    located: list[tuple[Source, Findings]] = []
    stems: set[str] = set()
    for number, named in enumerate(named_sources):
        findings = Findings(named or "''")
        if named == SYNTHETIC:
            source = Source(named, Path(), SYNTHETIC, SYNTHETIC, SourceKind.SYNTHETIC)
            if named in named_sources[:number]:
                findings.refuse("named twice; name it once and raise data.synthetic.num_images")
        else:
            source = _locate(named, findings)
        source = replace(source, stem=_unique(source.stem, stems))
        stems.add(source.stem)
        located.append((source, findings))
    return located


def _locate(named: str, findings: Findings) -> Source:
    path, wanted = _split(named)
    found = _Found()
    try:
        found = _look(named, path, wanted, findings)
    except OSError as error:
        reason = error.strerror or error
        findings.refuse(f"can't be read ({reason}); check the path and the access rights")
    except CompressionError as error:
        findings.refuse(str(error))
    # Not resolve(): a link's own name is what the user sees.
    name = PurePath(os.path.normpath(path.absolute())).name or "root"
    full_name = f"{name}{SEPARATOR}{found.member}" if found.member else name
    return Source(named, path, full_name, _stem(name, found), found.kind, found.member)


def _split(named: str) -> tuple[Path, str]:
    """The path, and the file or folder that is wanted of an archive (`faces.zip::train`)."""
    path = _expanded(named)
    archive, separator, wanted = named.partition(SEPARATOR)
    if not separator or os.path.lexists(path):
        return path, ""
    return _expanded(archive), wanted


def _expanded(named: str) -> Path:
    try:
        return Path(named).expanduser()
    except RuntimeError:  # "~somebody" who isn't there
        return Path(named)


def _stem(name: str, found: _Found) -> str:
    """The name without what tells the format, so that it is the same when it is packed."""
    last = PurePath(found.member or name)
    if found.kind is SourceKind.FOLDER or (found.kind is SourceKind.IMAGE_ARCHIVE and found.member):
        return last.name
    if found.kind is SourceKind.IMAGE_ARCHIVE:
        last = PurePath(last.stem) if PurePath(last.stem).suffix.lower() == ".tar" else last
    elif found.is_packed and last.suffix.lower() in _PACKED_SUFFIXES:
        last = PurePath(last.stem)
    return last.stem


def _unique(stem: str, taken: set[str]) -> str:
    candidate, number = stem, 2
    while candidate in taken:
        candidate, number = f"{stem}-{number}", number + 1
    return candidate


def _look(named: str, path: Path, wanted: str, findings: Findings) -> _Found:
    """What is there, if it can be used; else the refusal is noted."""
    if not named.strip():
        findings.refuse("expected a file or folder, got an empty name; name one")
    elif "://" in named:
        findings.refuse("expected a file or folder of this machine; download it and name that")
    elif not is_utf8(path.name):
        findings.refuse("expected a name in UTF-8; rename it")
    elif not path.exists():
        findings.refuse(_missing(path))
    elif path.is_dir() and not wanted:
        return _Found(SourceKind.FOLDER)
    elif path.is_dir():
        findings.refuse(f"{path} is a folder, no archive; name what is in it by its path")
    elif not path.is_file():
        findings.refuse("expected a file or folder, got a device, pipe or socket; name another")
    else:
        return _look_into(path, wanted, findings)
    return _Found()


def _look_into(path: Path, wanted: str, findings: Findings) -> _Found:
    stream, packing = open_stream(path)
    with stream:
        inner = detect_compression(stream.head())
        is_archive = inner is Compression.TAR or (inner is Compression.ZIP and packing is None)
        content = b"" if is_archive else stream.read(_HEAD_BYTES)
    if is_archive:
        return _look_into_archive(path, wanted, findings)
    if wanted:
        findings.refuse(f"{path.name} is no zip or tar archive; name the file itself")
        return _Found()
    kind = kind_of_content(content, path.suffix)
    if isinstance(kind, SourceKind):
        return _Found(kind, is_packed=packing is not None)
    findings.refuse(kind)
    return _Found()


def _look_into_archive(path: Path, wanted: str, findings: Findings) -> _Found:
    listing = list_archive(path)
    for fault in listing.faults:
        findings.refuse(fault)
    choice = choose(listing, wanted, str(path))
    if listing.faults:
        return _Found()
    if isinstance(choice, Choice) and not is_utf8(choice.member):
        choice = f"{choice.member!a} in the archive: expected names in UTF-8; pack it anew"
    if isinstance(choice, str):
        findings.refuse(choice)
        return _Found()
    return _Found(choice.kind, choice.member)


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
    near = difflib.get_close_matches(name.lower(), lowered, _NUM_NEAREST, cutoff=_MIN_SIMILARITY)
    if near:
        offers = "; ".join(lowered[child] for child in near)
        return f"there is no such file or folder; {offers}: is that meant?"
    some = ", ".join(there[:_NUM_NEAREST]) + (", ..." if len(there) > _NUM_NEAREST else "")
    return f"there is no such file or folder; {parent} holds {some or 'nothing'}; correct the path"
