"""A file that several processes write: pixels are written once, and never through a pipe.

It has no name, so that nothing is left behind however the processes end. In the folder of a store
it becomes the snapshot's file.
"""

import math
import mmap
import os
from pathlib import Path

from fer_models.dataset.image_format import Pixels
from fer_models.unnamed_file import UnnamedFile

_ROOM_BYTES = 128
"""In front of each array, for the header of a `.npy` file."""


class Scratch:
    """A growing file of arrays; they stay valid after all references to it are gone.

    Example:
        scratch = Scratch(store.local_root)
        start, images = scratch.allocate((20_000, 48, 48))
        os.pwrite(scratch.fileno(), pixels, start)  # in another process, which inherited it
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Create the file; see `UnnamedFile`."""
        self.file = UnnamedFile(folder)
        self._num_bytes = 0

    def fileno(self) -> int:
        """The descriptor, for processes that inherit it."""
        return self.file.fileno()

    def allocate(self, shape: tuple[int, ...]) -> tuple[int, Pixels]:
        """Where a new array begins in the file, and the array; none of its sides is 0.

        Raises:
            OSError: the disk is too full.
        """
        import numpy as np

        page, length = mmap.ALLOCATIONGRANULARITY, _ROOM_BYTES + math.prod(shape)
        offset = -(-self._num_bytes // page) * page
        self._num_bytes = offset + length
        if hasattr(os, "posix_fallocate"):  # a full disk is an error here, later a crash
            os.posix_fallocate(self.fileno(), offset, length)
        else:
            os.truncate(self.fileno(), self._num_bytes)
        mapped = mmap.mmap(self.fileno(), length, offset=offset)
        images = np.frombuffer(mapped, dtype=np.uint8, offset=_ROOM_BYTES)
        return offset + _ROOM_BYTES, images.reshape(shape)
