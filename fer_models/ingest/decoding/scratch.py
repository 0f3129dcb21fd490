"""A file that several processes map: pixels are written once, and never through a pipe.

It has no name, so that nothing is left behind however the processes end.
"""

import math
import mmap
import os
import tempfile
from typing import IO, NamedTuple

from fer_models.dataset.image_format import Pixels


class Region(NamedTuple):
    """A uint8 array in the file."""

    offset: int
    shape: tuple[int, ...]


class Scratch:
    """A growing file of arrays; they stay valid after it is closed.

    Example:
        region, images = scratch.allocate((20_000, 48, 48))
        mapped(file, region)[7] = 255  # in another process, which inherited `scratch.fileno()`
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._num_bytes = 0

    def fileno(self) -> int:
        """The descriptor, for processes that inherit it."""
        return self._file.fileno()

    def allocate(self, shape: tuple[int, ...]) -> tuple[Region, Pixels]:
        """A new array, full of zeros; none of its sides is 0.

        Raises:
            OSError: the disk is too full.
        """
        import numpy as np

        page = mmap.ALLOCATIONGRANULARITY
        offset = -(-self._num_bytes // page) * page
        self._num_bytes = offset + math.prod(shape)
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here, later a crash
            os.posix_fallocate(self._file.fileno(), offset, math.prod(shape))
        else:
            self._file.truncate(self._num_bytes)
        region = Region(offset, shape)
        images = np.frombuffer(mapped(self._file, region), dtype=np.uint8)
        return region, images.reshape(shape)

    def close(self) -> None:
        """Close the file; what is mapped stays."""
        self._file.close()


def mapped(file: IO[bytes], region: Region) -> memoryview:
    """The bytes of an array of the file, to read and to write."""
    num_bytes = math.prod(region.shape)
    return memoryview(mmap.mmap(file.fileno(), num_bytes, offset=region.offset))
