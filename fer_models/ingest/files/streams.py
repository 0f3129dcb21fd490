"""Files as streams of plain bytes: what gzip, bzip2 or xz packed is unpacked on the way."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from fer_models.ingest.files.compression import (
    BLOCK_BYTES,
    HEAD_BYTES,
    Compression,
    decompressed_blocks,
    detect_compression,
    guarded,
    read_ahead,
)

ARCHIVES = (Compression.ZIP, Compression.TAR)


class _Closing(Protocol):
    def close(self) -> None: ...


class SourceStream(io.BufferedReader):
    """A buffered stream of plain bytes that knows how far it is."""

    def __init__(self, raw: io.RawIOBase, done_bytes: Callable[[], int], total_bytes: int) -> None:
        super().__init__(raw, BLOCK_BYTES)
        self._done_bytes = done_bytes
        self.total_bytes = total_bytes
        """Of the file as it lies there, packed or not."""

    @property
    def done_bytes(self) -> int:
        """How much of `total_bytes` was read; a little ahead of the reader."""
        return self._done_bytes()

    def head(self) -> bytes:
        """The first bytes, without reading on; call it before anything else."""
        return self.peek(HEAD_BYTES)[:HEAD_BYTES]


class _BlockReader(io.RawIOBase):
    """Blocks of bytes as a raw stream; closing it closes what they come from."""

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


def open_stream(path: Path) -> tuple[SourceStream, Compression | None]:
    """The file's bytes without their outer gzip, bzip2 or xz packing, and that packing.

    Raises:
        OSError: it can't be read.
        CompressionError: while it is read: it is damaged or a bomb.
    """
    raw = path.open("rb", buffering=0)
    size = os.fstat(raw.fileno()).st_size
    stream = SourceStream(raw, raw.tell, size)
    try:
        packing = detect_compression(stream.head())
    except OSError:
        stream.close()
        raise
    if packing is None or packing in ARCHIVES:
        return stream, None
    blocks = guarded(decompressed_blocks(stream, packing), size)
    return stream_of_blocks(blocks, stream, raw.tell, size), packing


def stream_of_blocks(
    blocks: Iterator[bytes], inner: _Closing | None, done_bytes: Callable[[], int], total_bytes: int
) -> SourceStream:
    """A stream of blocks that a thread fetches ahead; closing it closes `inner`, too."""
    resources = ExitStack()
    if inner is not None:
        resources.callback(inner.close)
    ahead = read_ahead(blocks)
    resources.callback(ahead.close)
    return SourceStream(_BlockReader(ahead, resources), done_bytes, total_bytes)
