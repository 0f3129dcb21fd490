"""The one place where a source's table is opened, wherever it lies and however it is packed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from fer_models.ingest.files.archive import list_archive, member_blocks
from fer_models.ingest.files.compression import BLOCK_BYTES, CompressionError, check_size
from fer_models.ingest.files.streams import SourceStream, open_stream, stream_of_blocks
from fer_models.progress import report

_MEGABYTE = 1e6


@dataclass(frozen=True)
class SourceFile:
    """A file, packed or not, or the file or folder `member` of an archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """How progress names it; no path of this machine."""
        return PurePosixPath(self.member).name if self.member else self.path.name


def open_source(file: SourceFile) -> SourceStream:
    """A stream of the file's plain bytes.

    Raises:
        OSError: it can't be read.
        CompressionError: now or while it is read: it is damaged, or a bomb.
    """
    if not file.member:
        return open_stream(file.path)[0]
    sizes = [m.size for m in list_archive(file.path).members if m.name == file.member]
    if not sizes:
        raise CompressionError(f"{file.member} is no longer in the archive; start again")
    check_size(sizes[0], file.path.stat().st_size)
    done = 0

    def counted() -> Iterator[bytes]:
        nonlocal done
        for block in member_blocks(file.path, file.member):
            done += len(block)
            yield block

    return stream_of_blocks(counted(), None, lambda: done, sizes[0])


def report_reading(stream: SourceStream, name: str) -> None:
    """Tell how much of a source was read."""
    report("ingest", stream.done_bytes / _MEGABYTE, stream.total_bytes / _MEGABYTE, "MB", name)


def unpack_to(stream: SourceStream, target: IO[bytes], name: str) -> None:
    """Copy the rest of the stream into a file, and tell how far it is."""
    while block := stream.read(BLOCK_BYTES):
        target.write(block)
        report_reading(stream, f"unpacking {name}")
