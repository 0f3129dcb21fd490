"""Arrays as files of an artifact, hashed and written without a copy of their pixels."""

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from fer_models.dataset.image_format import Pixels, format_of, to_thumbnails
from fer_models.storage.backend import Buffers
from fer_models.unnamed_file import UnnamedFile

PIXEL_FILES = (_IMAGES, _THUMBNAILS) = ("images.npy", "thumbnails.npy")
HEADER_BYTES = 128
"""Of a `.npy` file, whatever the number of images."""


def npy_buffers(array: Pixels) -> Buffers:
    """What `np.save` would write.

    Example:
        store.put(SnapshotRef, sha, {"images.npy": npy_buffers(images)}, info={})
    """
    contiguous = np.ascontiguousarray(array)
    return Buffers((_header(contiguous), contiguous.reshape(-1).data))


def files_of(images: Pixels, thumbnails: Pixels | None = None) -> dict[str, Buffers]:
    """The files of a new snapshot: its images, and thumbnails unless they are their own."""
    files = {_IMAGES: npy_buffers(images)}
    if not format_of(images).is_thumbnail:
        files[_THUMBNAILS] = npy_buffers(
            to_thumbnails(images) if thumbnails is None else thumbnails
        )
    return files


def _header(array: Pixels) -> bytes:
    header = io.BytesIO()
    fields = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(header, fields)
    return header.getvalue()


class NpyFile:
    """N images in a file without a name, hashed on another thread while others write them.

    Example:
        file = NpyFile(scratch, images)  # behind `HEADER_BYTES` in the scratch file
        file.complete(64)  # the first 64 are written
        store.put(SnapshotRef, sha, {"images.npy": file.buffers(len(images))}, info={})
    """

    def __init__(self, file: UnnamedFile, images: Pixels) -> None:
        """Nothing is written yet."""
        self._file = file
        self._images = images
        self._digest = hashlib.sha256(_header(images))
        self._thread = ThreadPoolExecutor(1)
        self._num_hashed = 0

    def complete(self, num_images: int) -> None:
        """The first images are written."""
        if num_images > self._num_hashed:
            added = self._images[self._num_hashed : num_images].reshape(-1).data
            self._thread.submit(self._digest.update, added)
            self._num_hashed = num_images

    def buffers(self, num_images: int) -> Buffers:
        """What `np.save` would write of the first images; nothing else may be left in the file."""
        self._thread.shutdown()
        images = self._images[:num_images]
        header = _header(images)
        parts = (header, images.reshape(-1).data)
        is_own = os.fstat(self._file.fileno()).st_size == HEADER_BYTES + self._images.nbytes
        if not is_own or len(header) != HEADER_BYTES:
            return Buffers(parts)
        os.truncate(self._file.fileno(), HEADER_BYTES + images.nbytes)
        os.pwrite(self._file.fileno(), header, 0)
        is_hashed = num_images == self._num_hashed == len(self._images)
        return Buffers(parts, self._file, self._digest.hexdigest() if is_hashed else "")


@contextmanager
def hashed_meanwhile(files: Iterable[Buffers]) -> Iterator[None]:
    """Compute the sha256 of the files in another thread, on another core, during the block."""
    with ThreadPoolExecutor(1) as thread:
        hashes = [thread.submit(getattr, one, "sha256") for one in files]
        yield
        for future in hashes:
            future.result()
