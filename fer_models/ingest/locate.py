"""Locate the sources that the user named: file or folder, format, and part of an archive."""

import difflib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from fer_models.ingest.archive_member import SEPARATOR, Choice, choose
from fer_models.ingest.config import SYNTHETIC
from fer_models.ingest.files.archive import ArchiveMember, list_archive
from fer_models.ingest.files.compression import Compression, CompressionError, detect_compression
from fer_models.ingest.files.detection import (
    COMPRESSED_SUFFIXES,
    SourceKind,
    is_utf8,
    kind_of_content,
)
from fer_models.ingest.files.folder import has_only_tables
from fer_models.ingest.files.remote import (
    check_exists,
    is_url,
    local_copy,
)
from fer_models.ingest.files.stat_cache import StatCache
from fer_models.ingest.files.streams import SourceFile, open_stream
from fer_models.ingest.findings import Findings
from fer_models.ingest.layouts.table_rows import is_image_list
from fer_models.redaction import without_credentials
from fer_models.user_input import user_path

_NUM_NEAREST = 3
_MIN_SIMILARITY = 0.6
_HEAD_BYTES = 1 << 16


@dataclass(frozen=True)
class _Detected:
    """The source at a path; without a kind it can't be used, and `faults` say why."""

    kind: SourceKind | None = None
    member: str = ""
    is_compressed: bool = False
    faults: tuple[str, ...] = ()


# `ferflow run` locates its sources three times: before the start, for the cache key, and to read.
_cache = StatCache[_Detected](max_entries=1000)


@dataclass(frozen=True)
class Source:
    """One source: as the user named it, and as the snapshot names it."""

    named: str
    path: Path
    """Local, also that of a URL. Meaningless for synthetic faces."""
    name: str
    """File or folder name, and the part of an archive (`a.zip::b.csv`); never a local path."""
    stem: str
    """Prefix of its image ids, unique among the sources; independent of compression."""
    kind: SourceKind | None
    """None if it can't be used; its findings say why."""
    member: str = ""
    """The table or folder to read from an archive; "" for all of it, or no archive."""

    @property
    def file(self) -> SourceFile:
        """The file, folder or archive member to read."""
        if self.member or self.kind is SourceKind.IMAGE_ARCHIVE:
            return ArchiveMember(self.path, self.member)
        return SourceFile(self.path)


def locate_sources(
    named_sources: Sequence[str], *, download: bool = True
) -> list[tuple[Source, Findings]]:
    """Find every source and its format.

    A file is only opened if it has changed since it was last located in this process. Of a URL, the
    local copy is brought up to date; the source is that copy, under the name of the URL.

    Example:
        [(source, findings)] = locate_sources(["archive.zip::train"])
        source.kind, findings.faults

    Args:
        named_sources: paths, `s3://` URLs, `<archive>::<member>` of both, or `synthetic`.
        download: False to see only whether URLs have something; their sources have no kind then.

    Returns:
        Each source with new findings, which hold its faults.
    """
    located: list[tuple[Source, Findings]] = []
    stems: set[str] = set()
    for number, named in enumerate(named_sources):
        findings = Findings(without_credentials(named) or "''")
        if named == SYNTHETIC:
            source = Source(named, Path(), SYNTHETIC, SYNTHETIC, SourceKind.SYNTHETIC)
            if named in named_sources[:number]:
                findings.add_fault("named twice; name it once and raise data.synthetic.num_images")
        else:
            source = _locate(named, findings, download)
        source = replace(source, stem=_unique(source.stem, stems))
        stems.add(source.stem)
        located.append((source, findings))
    return located


def _locate(named: str, findings: Findings, download: bool) -> Source:
    path, wanted = _split_member(named)
    shown = str(path)
    if is_url(named):
        shown, _, wanted = named.partition(SEPARATOR)
        copy = None
        if download:
            copy = local_copy(shown, findings)
        else:
            check_exists(shown, wanted, findings)
        if copy is None:
            return Source(findings.source, Path(), path.name, path.name, None)
        path = copy
    try:
        detected = _detect(named, path, wanted, shown)
    except OSError as error:
        reason = error.strerror or error
        detected = _fault(f"can't be read ({reason}); check the path and the access rights")
    except CompressionError as error:
        detected = _fault(str(error))
    if is_url(named) and detected.kind is SourceKind.IMAGE_LIST:
        folder = shown.rstrip("/").rpartition("/")[0]
        detected = _fault(
            "a table of labels is copied without its images; name the folder of both, "
            f"{folder}, and the table with data.table.path={path.name}"
        )
    for fault in detected.faults:
        findings.add_fault(fault)
    # Not resolve(): the user knows a link by its own name.
    name = PurePath(os.path.normpath(path.absolute())).name or "root"
    full_name = f"{name}{SEPARATOR}{detected.member}" if detected.member else name
    stem = _stem(name, detected)
    return Source(findings.source, path, full_name, stem, detected.kind, detected.member)


def _split_member(named: str) -> tuple[Path, str]:
    """The path, and the part of an archive that was asked for (`faces.zip::train`)."""
    path = user_path(named)
    archive, separator, wanted = named.partition(SEPARATOR)
    if not separator or os.path.lexists(path):
        return path, ""
    return user_path(archive), wanted


def _stem(name: str, detected: _Detected) -> str:
    """The name without suffixes of format and compression."""
    last = PurePath(detected.member or name)
    if detected.kind in (SourceKind.FOLDER, SourceKind.PARQUET_FOLDER):
        return last.name
    if detected.kind is SourceKind.IMAGE_ARCHIVE:
        if detected.member:
            return last.name
        last = PurePath(last.stem) if PurePath(last.stem).suffix.lower() == ".tar" else last
    elif detected.is_compressed and last.suffix.lower() in COMPRESSED_SUFFIXES:
        last = PurePath(last.stem)
    return last.stem


def _unique(stem: str, taken: set[str]) -> str:
    candidate, number = stem, 2
    while candidate in taken:
        candidate, number = f"{stem}-{number}", number + 1
    return candidate


def _detect(named: str, path: Path, wanted: str, shown: str) -> _Detected:
    if not named.strip():
        return _fault("expected a file or folder, got an empty name; name one")
    if not is_utf8(path.name):
        return _fault("expected a name in UTF-8; rename it")
    if not path.exists():
        return _fault(_missing(path))
    if path.is_dir():
        if wanted:
            return _fault(f"{shown} is a folder, not an archive; name its content by path")
        return _Detected(SourceKind.PARQUET_FOLDER if has_only_tables(path) else SourceKind.FOLDER)
    if not path.is_file():
        return _fault("expected a file or folder, got a device, pipe or socket; name another")
    # Messages contain the path as the user wrote it, so it is part of the key.
    return _cache.get(path, lambda: _detect_file(path, wanted, shown), shown, wanted)


def _detect_file(path: Path, wanted: str, shown: str) -> _Detected:
    stream, compression = open_stream(path)
    with stream:
        inner = detect_compression(stream.head())
        is_archive = inner is Compression.TAR or (inner is Compression.ZIP and compression is None)
        content = b"" if is_archive else stream.read(_HEAD_BYTES)
    if is_archive:
        return _detect_member(path, wanted, shown)
    if wanted:
        return _fault(f"{path.name} is not a zip or tar archive; name the file itself")
    kind = kind_of_content(content, path.suffix)
    if kind is SourceKind.PIXEL_TABLE and is_image_list(path.name, content):
        kind = SourceKind.IMAGE_LIST
    if isinstance(kind, SourceKind):
        return _Detected(kind, is_compressed=compression is not None)
    return _fault(kind)


def _detect_member(path: Path, wanted: str, shown: str) -> _Detected:
    listing = list_archive(path)
    if listing.faults:
        return _fault(*listing.faults)
    choice = choose(listing, wanted, shown)
    if isinstance(choice, Choice) and not is_utf8(choice.member):
        choice = f"{choice.member!a} in the archive: expected names in UTF-8; rename it and repack"
    if isinstance(choice, str):
        return _fault(choice)
    return _Detected(choice.kind, choice.member)


def _fault(*faults: str) -> _Detected:
    return _Detected(faults=faults)


def _missing(path: Path) -> str:
    """A message that suggests the nearest existing names for a missing path."""
    parent, name = path.absolute(), ""
    while not parent.exists():
        parent, name = parent.parent, parent.name
    if not parent.is_dir():
        return f"no such file or folder ({parent} is a file); correct the path"
    existing = sorted(child.name for child in parent.iterdir() if not child.name.startswith("."))
    suggestions = {SYNTHETIC: f"the built-in source {SYNTHETIC}"}
    suggestions |= {child.lower(): f"{child} in {parent}" for child in existing}
    near = difflib.get_close_matches(
        name.lower(), suggestions, _NUM_NEAREST, cutoff=_MIN_SIMILARITY
    )
    if near:
        offers = " or ".join(suggestions[child] for child in near)
        return f"no such file or folder; did you mean {offers}?"
    some = ", ".join(existing[:_NUM_NEAREST]) + (", ..." if len(existing) > _NUM_NEAREST else "")
    return f"no such file or folder; {parent} contains {some or 'nothing'}; correct the path"
