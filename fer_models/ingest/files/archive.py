"""Zip and tar archives: list and read their files, without ever writing to a path they name.

Archives are read front to back: a compressed tar allows no other order.
"""

import os
import stat
import struct
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tarfile import EOFHeaderError, HeaderError, ReadError  # type: ignore[attr-defined]
from typing import IO, Self

from fer_models.ingest.files.compression import (
    BLOCK_BYTES,
    Compression,
    CompressionError,
    check_size,
    detect_compression,
    translate_decompress_errors,
)
from fer_models.ingest.files.detection import is_image, is_table, is_visible, may_list
from fer_models.ingest.files.stat_cache import StatCache
from fer_models.ingest.files.streams import (
    SourceFile,
    SourceStream,
    open_stream,
    stream_of_blocks,
)
from fer_models.progress import report

_HEAD_BYTES = 4096
_MAX_HEADS = 1000
# ExpW's list has 4 MB. Larger ones are read when they are needed.
_MAX_LIST_BYTES, _MAX_LISTS_BYTES = 8 << 20, 32 << 20
_REPORT_EVERY = 1000
_ENCRYPTED = 0x1
# The record at the end of a zip file holds its number of files, 0xFFFF in very large ones.
_END_RECORD_BYTES, _END_RECORD_MAGIC = 22 + 0xFFFF, b"PK\x05\x06"
_COUNT_OFFSET, _MANY = 10, 0xFFFF
_DOS = 0
_TWICE = "appears twice in the archive; repack it"
_NOT_A_FILE = "is a link or device, not a file; pack the files themselves"
_ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True)
class Entry:
    """A file in an archive, while the archive is walked."""

    name: str
    size: int
    problem: str
    """Why it can't be read and what to do about it; "" if it can."""
    open: Callable[[], IO[bytes] | None]
    """Valid only until the walk continues."""


@dataclass(frozen=True)
class Member:
    """A file in an archive: relative POSIX path, size in bytes, and its first bytes.

    `head` is empty for images; of small lists it is all, to spare a further pass for them.
    """

    name: str
    size: int
    head: bytes


@dataclass(frozen=True)
class Listing:
    """The visible files of an archive in its order, and its faults as a whole."""

    members: tuple[Member, ...]
    faults: tuple[str, ...]


# Values hold the first bytes of many files, so only a few are kept.
_listings = StatCache[Listing](max_entries=8)


@dataclass(frozen=True)
class ArchiveMember(SourceFile):
    """A file or folder of an archive; "" is the archive's root."""

    member: str = ""

    @property
    def name(self) -> str:
        """Name for progress events, without local folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    def open(self) -> SourceStream:
        """Open a stream of the file's decompressed bytes.

        Raises:
            OSError: the archive can't be read.
            CompressionError: now or while reading: it is damaged, or a zip bomb.
        """
        sizes = [m.size for m in list_archive(self.path).members if m.name == self.member]
        if not sizes:
            raise CompressionError(f"{self.member} is no longer in the archive; start again")
        check_size(sizes[0], self.path.stat().st_size)
        done = 0

        def counted() -> Iterator[bytes]:
            nonlocal done
            for block in member_blocks(self.path, self.member):
                done += len(block)
                yield block

        return stream_of_blocks(counted(), None, lambda: done, sizes[0])


def list_archive(path: Path) -> Listing:
    """List a zip or tar archive (compressed or not).

    A tar has no index and is read to its end; the listing is cached while the file is unchanged.

    Raises:
        OSError: it can't be read.
        CompressionError: it is truncated, damaged or a zip bomb.
    """
    return _listings.get(path, lambda: _list_archive(path))


def member_blocks(path: Path, name: str) -> Iterator[bytes]:
    """The content of one file of an archive, in blocks.

    Raises:
        CompressionError: it is damaged, or missing since the archive was listed.
    """
    for entry in walk(path):
        if entry.name == name:
            with translate_decompress_errors(f"{name} in the archive"):
                yield from _blocks_of(entry)
            return
    raise CompressionError(f"{name} is no longer in the archive; start again")


def member_contents(
    path: Path, names: Collection[str], max_bytes: int
) -> Iterator[tuple[str, bytes | None]]:
    """Name and content of each of the named files, in the archive's order.

    The content is None for a file that is damaged or larger than `max_bytes`.
    """
    wanted, archive_bytes, content_bytes = frozenset(names), path.stat().st_size, 0
    for entry in walk(path):
        if entry.name not in wanted:
            continue
        content_bytes += entry.size
        check_size(content_bytes, archive_bytes)
        yield entry.name, _content(entry) if entry.size <= max_bytes else None


def walk(path: Path) -> Iterator[Entry]:
    """Every visible file of the archive; folders and file managers' litter are skipped."""
    stream, _ = open_stream(path)
    with stream, translate_decompress_errors("the archive"):
        entries = _walk_zip if detect_compression(stream.head()) is Compression.ZIP else _walk_tar
        yield from (entry for entry in entries(stream) if is_visible(entry.name))


def _list_archive(path: Path) -> Listing:
    members: list[Member] = []
    problems: dict[str, list[str]] = {}
    num_heads, room = 0, _MAX_LISTS_BYTES
    for number, entry in enumerate(walk(path)):
        if entry.problem:
            problems.setdefault(entry.problem, []).append(entry.name)
            continue
        head = b""
        if may_list(entry.name) and entry.size <= min(_MAX_LIST_BYTES, room):
            head = _head(entry, entry.size)
            room -= len(head)
        elif is_table(entry.name) or (not is_image(entry.name) and num_heads < _MAX_HEADS):
            num_heads += 1
            head = _head(entry, _HEAD_BYTES)
        members.append(Member(entry.name, entry.size, head))
        if number % _REPORT_EVERY == 0:
            report("ingest", number, 0, "files", f"listing {path.name}")
    counts = Counter(member.name for member in members)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        problems[_TWICE] = twice
    faults = tuple(
        f"{names[0]!a}{f' and {more} more, each' if (more := len(names) - 1) else ''} {problem}"
        for problem, names in sorted(problems.items())
    )
    return Listing(tuple(members), faults)


def _head(entry: Entry, num_bytes: int) -> bytes:
    with translate_decompress_errors(f"{entry.name} in the archive"):
        return next(_blocks_of(entry, max(num_bytes, 1)), b"")


def _content(entry: Entry) -> bytes | None:
    try:
        with translate_decompress_errors(entry.name):
            return b"".join(_blocks_of(entry))
    except CompressionError:
        return None


def _blocks_of(entry: Entry, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    stream = entry.open()
    assert stream is not None
    with stream:
        while block := stream.read(block_bytes):
            yield block


def _walk_zip(stream: IO[bytes]) -> Iterator[Entry]:
    with zipfile.ZipFile(stream) as archive:
        _check_count(stream, len(archive.infolist()))
        for info in archive.infolist():
            if info.is_dir():
                continue
            raw = info.filename
            if info.create_system == _DOS:
                raw = raw.replace("\\", "/")
            yield Entry(
                _normal(raw),
                info.file_size,
                _path_problem(raw) or _zip_problem(info),
                lambda info=info: archive.open(info),  # type: ignore[misc]
            )


def _check_count(stream: IO[bytes], num_listed: int) -> None:
    """Compare the number of files: zipfile misses those that a damaged length swallows."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(max(0, size - _END_RECORD_BYTES))
    tail = stream.read()
    [num_files] = struct.unpack_from("<H", tail, tail.rfind(_END_RECORD_MAGIC) + _COUNT_OFFSET)
    if num_files not in (num_listed & _MANY, _MANY):
        raise zipfile.BadZipFile(f"expected {num_files} files, found {num_listed}")


def _zip_problem(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted; unpack it with its password and name its content"
    if info.compress_type not in _ZIP_METHODS:
        return (
            f"uses an unsupported compression (zip method {info.compress_type}); "
            "unpack it and name its content"
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        return _NOT_A_FILE
    return ""


def _walk_tar(stream: IO[bytes]) -> Iterator[Entry]:
    with tarfile.open(
        fileobj=stream, mode="r|", bufsize=BLOCK_BYTES, tarinfo=_StrictTarInfo
    ) as archive:
        for info in archive:
            if info.isdir():
                continue
            yield Entry(
                _normal(info.name),
                info.size,
                _path_problem(info.name) or ("" if info.isreg() else _NOT_A_FILE),
                lambda info=info: archive.extractfile(info),  # type: ignore[misc]
            )
    while stream.read(BLOCK_BYTES):
        pass  # up to the checksum at the end


class _StrictTarInfo(tarfile.TarInfo):
    """Reports a damaged header in the middle as damage, where tarfile would end the archive."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        try:
            return super().fromtarfile(tarfile)
        except EOFHeaderError:
            raise
        except HeaderError as error:
            raise ReadError(str(error)) from error


def _normal(name: str) -> str:
    return PurePosixPath(name).as_posix()


def _path_problem(name: str) -> str:
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (parts and parts[0].endswith(":")):
        return "points outside the archive; repack it with relative paths"
    return ""
