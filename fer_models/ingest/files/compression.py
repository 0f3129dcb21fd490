"""Decompression in blocks, with protection against damaged files and zip bombs.

Own code because the file objects of gzip, bz2 and lzma limit neither the size nor the memory of
what they decompress.
"""

import bz2
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import BinaryIO, Protocol

HEAD_BYTES = 512
_LIST_HEAD_BYTES = 1 << 16
BLOCK_BYTES = 1 << 20

_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK": "zip"}
_ZIP_SIGNATURES = (b"\x03\x04", b"\x05\x06", b"\x06\x06", b"\x07\x08")
_TAR_MAGIC, _TAR_MAGIC_OFFSET = b"ustar", 257
_OTHERS = {
    b"(\xb5/\xfd": "zstd",
    b"Rar!": "a rar archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x1f\x9d": "compress (.Z)",
    b"\x04\x22\x4d\x18": "lz4",
}
# Faces and their pixel lists compress to a third at best; a gigabyte is read in seconds.
_MAX_RATIO = 100
_ALWAYS_ALLOWED_BYTES = 1 << 30
# `xz -9` needs 65 MiB.
_XZ_MEMORY_BYTES = 256 << 20
_BLOCKS_AHEAD = 4
_MAX_REASON = 100
# Exceptions of the standard library's decompressors on damaged files.
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    ValueError,
    LookupError,
    OverflowError,
    RuntimeError,
)


class CompressionError(Exception):
    """A compressed file can't be decompressed; the message is meant for the user."""


class Compression(StrEnum):
    """A compression or archive format."""

    GZIP = "gzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZIP = "zip"
    TAR = "tar"


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def detect_compression(head: bytes) -> Compression | None:
    """The format of a file that begins with `head` (512 bytes, or all); None if uncompressed."""
    if head.startswith(b"PK"):
        return Compression.ZIP if head[2:4] in _ZIP_SIGNATURES else None
    if head[_TAR_MAGIC_OFFSET:].startswith(_TAR_MAGIC):
        return Compression.TAR
    return next(
        (Compression(name) for magic, name in _MAGIC.items() if head.startswith(magic)), None
    )


def unsupported_compression(head: bytes) -> str:
    """The name of a format that is recognised but not supported; "" for none."""
    return next((name for magic, name in _OTHERS.items() if head.startswith(magic)), "")


@contextmanager
def translate_decompress_errors(what: str) -> Iterator[None]:
    """Turn a decompressor's errors on damaged bytes into a `CompressionError`.

    Errors of the disk (an `OSError` with an errno) are passed on.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise CompressionError(_damaged(what, error)) from error
    except _DAMAGE as error:
        raise CompressionError(_damaged(what, error)) from error


def decompressed_blocks(compressed: BinaryIO, compression: Compression) -> Iterator[bytes]:
    """Decompress a gzip, bzip2 or xz file; several streams in a row count as one file.

    Raises:
        CompressionError: it is truncated or damaged (checksums are verified).
    """
    data = compressed.read(BLOCK_BYTES)
    while data:
        decompressor = _new_decompressor(compression)
        while True:
            with translate_decompress_errors(f"the {compression} file"):
                block = decompressor.decompress(data, BLOCK_BYTES)
            if block:
                yield block
            if decompressor.eof:
                break
            data = b"" if len(block) == BLOCK_BYTES else compressed.read(BLOCK_BYTES)
            if not data and len(block) < BLOCK_BYTES:
                raise CompressionError(_damaged(f"the {compression} file", "unexpected end"))
        # Tapes and some tools pad with zeros.
        data = decompressor.unused_data.lstrip(b"\0") or compressed.read(BLOCK_BYTES).lstrip(b"\0")


def decompressed(data: bytes, name: str) -> bytes:
    """The content of a small file that may be compressed with gzip, bzip2 or xz.

    Raises:
        CompressionError: it is damaged or a zip bomb.
    """
    compression = detect_compression(data)
    if compression is None or compression in (Compression.ZIP, Compression.TAR):
        return data
    try:
        blocks = guarded(decompressed_blocks(io.BytesIO(data), compression), len(data))
        return b"".join(blocks)
    except CompressionError as error:
        raise CompressionError(f"{name}: {error}") from error


def decompressed_head(head: bytes) -> bytes:
    """The first bytes of the content of a file, from its own first bytes; b"" if damaged."""
    compression = detect_compression(head)
    if compression is None or compression in (Compression.ZIP, Compression.TAR):
        return head
    found = b""
    with suppress(CompressionError):  # such as an end in the middle
        for block in decompressed_blocks(io.BytesIO(head), compression):
            found += block
            if len(found) >= _LIST_HEAD_BYTES:
                break
    return found


def guarded(blocks: Iterator[bytes], compressed_bytes: int) -> Iterator[bytes]:
    """The same blocks, as long as their total size is plausible for `compressed_bytes`.

    Raises:
        CompressionError: it is a zip bomb.
    """
    total_bytes = 0
    for block in blocks:
        total_bytes += len(block)
        check_size(total_bytes, compressed_bytes)
        yield block


def check_size(decompressed_bytes: int, compressed_bytes: int) -> None:
    """Reject a file whose compression ratio no images reach.

    Raises:
        CompressionError: it is a zip bomb.
    """
    if decompressed_bytes > max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * compressed_bytes):
        raise CompressionError(
            f"expands from {compressed_bytes:,} bytes to over {decompressed_bytes >> 20:,} MiB, "
            f"more than {_MAX_RATIO} times its size: a zip bomb; if you trust it, unpack it "
            "yourself and name its content"
        )


def read_ahead(blocks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same blocks, decompressed by a background thread while the caller uses earlier ones."""
    waiting: deque[Future[bytes | None]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="decompress")
    try:
        for _ in range(_BLOCKS_AHEAD):
            waiting.append(pool.submit(next, blocks, None))
        while (block := waiting.popleft().result()) is not None:
            waiting.append(pool.submit(next, blocks, None))
            yield block
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if isinstance(blocks, Generator):
            blocks.close()


class _GzipDecompressor:
    """`zlib.decompressobj` with the interface of the other two."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _new_decompressor(compression: Compression) -> _Decompressor:
    constructors: dict[Compression, Callable[[], _Decompressor]] = {
        Compression.GZIP: _GzipDecompressor,
        Compression.BZIP2: bz2.BZ2Decompressor,
        Compression.XZ: lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
    }
    return constructors[compression]()


def _damaged(what: str, reason: object) -> str:
    first_line = str(reason).partition("\n")[0][:_MAX_REASON]
    return f"{what} is truncated or damaged ({first_line}); copy or download it again"
