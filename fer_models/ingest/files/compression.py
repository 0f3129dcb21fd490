"""Compressed bytes as blocks of plain ones, with guards against damage and zip bombs."""

import bz2
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from enum import StrEnum
from typing import BinaryIO, Protocol

HEAD_BYTES = 512
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
# Faces and their pixel lists shrink to a third at best; a gigabyte is read in seconds.
_MAX_RATIO = 100
_ALWAYS_ALLOWED_BYTES = 1 << 30
# `xz -9` takes 65 MiB.
_XZ_MEMORY_BYTES = 256 << 20
_BLOCKS_AHEAD = 4
# What the unpackers of the standard library raise on damaged files.
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
    """A packed file can't be unpacked; the message is ready to be shown."""


class Compression(StrEnum):
    """How a file is packed."""

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
    """How a file that begins with `head` (512 bytes, or all) is packed; None: not at all."""
    if head.startswith(b"PK"):
        return Compression.ZIP if head[2:4] in _ZIP_SIGNATURES else None
    if head[_TAR_MAGIC_OFFSET:].startswith(_TAR_MAGIC):
        return Compression.TAR
    return next(
        (Compression(name) for magic, name in _MAGIC.items() if head.startswith(magic)), None
    )


def unsupported_compression(head: bytes) -> str:
    """The name of a packing that can't be unpacked here; "" for none."""
    return next((name for magic, name in _OTHERS.items() if head.startswith(magic)), "")


@contextmanager
def translate_decompress_errors(what: str) -> Iterator[None]:
    """Turn what unpackers raise on damaged bytes into a `CompressionError`; disk errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:
            raise
        raise CompressionError(_damaged(what, error)) from error
    except _DAMAGE as error:
        raise CompressionError(_damaged(what, error)) from error


def decompressed_blocks(packed: BinaryIO, packing: Compression) -> Iterator[bytes]:
    """The plain bytes of a gzip, bzip2 or xz file; several streams in a row are one file.

    Raises:
        CompressionError: it is cut off or damaged (the checksums are checked, too).
    """
    data = packed.read(BLOCK_BYTES)
    while data:
        decompressor = _new_decompressor(packing)
        while True:
            with translate_decompress_errors(f"the {packing} file"):
                block = decompressor.decompress(data, BLOCK_BYTES)
            if block:
                yield block
            if decompressor.eof:
                break
            data = b"" if len(block) == BLOCK_BYTES else packed.read(BLOCK_BYTES)
            if not data and len(block) < BLOCK_BYTES:
                raise CompressionError(_damaged(f"the {packing} file", "it ends too early"))
        # Tapes and some tools fill up with zeros.
        data = decompressor.unused_data.lstrip(b"\0") or packed.read(BLOCK_BYTES).lstrip(b"\0")


def guarded(blocks: Iterator[bytes], packed_bytes: int) -> Iterator[bytes]:
    """The same blocks, until they are suspiciously many for `packed_bytes`.

    Raises:
        CompressionError: it is a bomb.
    """
    unpacked = 0
    for block in blocks:
        unpacked += len(block)
        check_size(unpacked, packed_bytes)
        yield block


def check_size(unpacked_bytes: int, packed_bytes: int) -> None:
    """Refuse a file that grows when unpacked as no images do.

    Raises:
        CompressionError: it is a bomb.
    """
    if unpacked_bytes > max(_ALWAYS_ALLOWED_BYTES, _MAX_RATIO * packed_bytes):
        raise CompressionError(
            f"would unpack to more than {unpacked_bytes >> 20:,} MiB from {packed_bytes:,} bytes, "
            f"over {_MAX_RATIO} times its size: a zip bomb; if you trust it, unpack it yourself "
            "and name what was in it"
        )


def read_ahead(blocks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """The same blocks, unpacked by a thread while the caller works on those before."""
    waiting: deque[Future[bytes | None]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="unpack")
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


def _new_decompressor(packing: Compression) -> _Decompressor:
    makers: dict[Compression, Callable[[], _Decompressor]] = {
        Compression.GZIP: _GzipDecompressor,
        Compression.BZIP2: bz2.BZ2Decompressor,
        Compression.XZ: lambda: lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES),
    }
    return makers[packing]()


def _damaged(what: str, reason: object) -> str:
    words = str(reason).partition("\n")[0][:100]
    return f"{what} is cut off or damaged ({words}); copy or download it again"
