"""The one place where a source file is opened: a compressed format would be unpacked here."""

from pathlib import Path
from typing import BinaryIO

_BUFFER_BYTES = 1 << 20


def open_source(path: Path) -> BinaryIO:
    """A stream of the file's plain bytes.

    Raises:
        OSError: it can't be read.
    """
    return path.open("rb", buffering=_BUFFER_BYTES)


def size_bytes(path: Path) -> int:
    """How many bytes `open_source` will give; for progress only."""
    return path.stat().st_size
