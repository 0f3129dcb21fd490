"""Source files as streams of decompressed bytes (gzip, bzip2 and xz are transparent)."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from fer_models.ingest.files.compression import (
    BLOCK_BYTES,
    HEAD_BYTES,
    Compression,
    decompressed_blocks,
    detect_compression,
    guarded,
    read_ahead,
)
from fer_models.progress import report

_ARCHIVES = (Compression.ZIP, Compression.TAR)
_MEGABYTE = 1e6


class _Closing(Protocol):
    def close(self) -> None: ...


class SourceStream(io.BufferedReader):
    """A buffered stream of decompressed bytes that knows its progress."""

    def __init__(self, raw: io.RawIOBase, done_bytes: Callable[[], int], total_bytes: int) -> None:
        super().__init__(raw, BLOCK_BYTES)
        self._done_bytes = done_bytes
        self.total_bytes = total_bytes
        """Size of the file on disk, compressed or not."""

    @property
    def done_bytes(self) -> int:
        """How much of `total_bytes` was read; slightly ahead of the reader."""
        return self._done_bytes()

    def head(self) -> bytes:
        """The first bytes, without consuming them; only valid before anything is read."""
        return self.peek(HEAD_BYTES)[:HEAD_BYTES]


@dataclass(frozen=True)
class SourceFile:
    """A file, compressed or not (or a folder, which can't be opened).

    Example:
        with SourceFile(Path("fer2013.csv.gz")).open() as stream:
            header = stream.readline()
    """

    path: Path

    @property
    def name(self) -> str:
        """Name for progress events, without local folders."""
        return self.path.name

    def open(self) -> SourceStream:
        """Open a stream of the decompressed bytes.

        Raises:
            OSError: it can't be read.
            CompressionError: now or while reading: it is damaged, or a zip bomb.
        """
        return open_stream(self.path)[0]


def open_stream(path: Path) -> tuple[SourceStream, Compression | None]:
    """Open a file without its outer gzip, bzip2 or xz compression, and name that compression.

    Raises:
        OSError: it can't be read.
        CompressionError: while reading: it is damaged or a zip bomb.
    """
    raw = path.open("rb", buffering=0)
    size = os.fstat(raw.fileno()).st_size
    stream = SourceStream(raw, raw.tell, size)
    try:
        compression = detect_compression(stream.head())
    except OSError:
        stream.close()
        raise
    if compression is None or compression in _ARCHIVES:
        return stream, None
    blocks = guarded(decompressed_blocks(stream, compression), size)
    return stream_of_blocks(blocks, stream, raw.tell, size), compression


def stream_of_blocks(
    blocks: Iterator[bytes], inner: _Closing | None, done_bytes: Callable[[], int], total_bytes: int
) -> SourceStream:
    """A stream of blocks that a thread reads ahead; closing it closes `inner`, too."""
    resources = ExitStack()
    if inner is not None:
        resources.callback(inner.close)
    ahead = read_ahead(blocks)
    resources.callback(ahead.close)
    return SourceStream(_BlockReader(ahead, resources), done_bytes, total_bytes)


def report_reading(stream: SourceStream, name: str) -> None:
    """Report how much of a source was read."""
    report("ingest", stream.done_bytes / _MEGABYTE, stream.total_bytes / _MEGABYTE, "MB", name)


def decompress_to(stream: SourceStream, target: IO[bytes], name: str) -> None:
    """Copy the rest of the stream into a file and report progress."""
    while block := stream.read(BLOCK_BYTES):
        target.write(block)
        report_reading(stream, f"decompressing {name}")


class _BlockReader(io.RawIOBase):
    """Blocks of bytes as a raw stream; closing it closes their origin."""

    def __init__(self, blocks: Iterator[bytes], resources: ExitStack) -> None:
        self._blocks = blocks
        self._resources = resources
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the whole buffer, except at the end."""
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                self._rest = memoryview(next(self._blocks, b""))
                if not self._rest:
                    break
            taken = min(len(self._rest), len(buffer) - filled)
            buffer[filled : filled + taken] = self._rest[:taken]
            self._rest = self._rest[taken:]
            filled += taken
        return filled

    def close(self) -> None:
        if not self.closed:
            self._resources.close()
        super().close()
