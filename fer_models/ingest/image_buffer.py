"""Buffers for the images of a source: in memory while they are few, then in a temporary file.

The file has no name, so that nothing is left behind however the process ends. N images.
"""

import tempfile
from collections.abc import Sequence

import numpy as np

from fer_models.dataset.image_format import ImageFormat, Pixels

# FER2013's 83 MB stay in memory.
_MAX_MEMORY_BYTES = 256 << 20


def image_array(num_images: int, image_format: ImageFormat) -> Pixels:
    """An array for N images of a format, whose content is not defined."""
    shape = (num_images, *image_format.shape)
    num_bytes = int(np.prod(shape))
    if num_bytes <= _MAX_MEMORY_BYTES:
        return np.empty(shape, dtype=np.uint8)
    with tempfile.TemporaryFile() as file:
        file.truncate(num_bytes)
        return np.memmap(file, dtype=np.uint8, mode="r+", shape=shape)


def joined(parts: Sequence[Pixels], image_format: ImageFormat) -> Pixels:
    """All images of the parts, in order; a single part is returned without a copy."""
    if len(parts) == 1:
        return parts[0]
    images = image_array(sum(map(len, parts)), image_format)
    start = 0
    for part in parts:
        images[start : start + len(part)] = part
        start += len(part)
    return images


def compacted(images: Pixels, rows: Sequence[int]) -> Pixels:
    """The images of these ascending rows, moved to the front of the same array."""
    for position, row in enumerate(rows):
        if position != row:
            images[position] = images[row]
    return images[: len(rows)]


class ImageBuffer:
    """Collects images chunk by chunk.

    Example:
        buffer = ImageBuffer(ImageFormat(112, 3))
        buffer.append(chunk)  # uint8 n x 112 x 112 x 3
        images = buffer.finish()
    """

    def __init__(self, image_format: ImageFormat) -> None:
        """Collect images of one format."""
        self._format = image_format
        self._chunks: list[Pixels] = []
        self._full: list[Pixels] = []
        self._num_bytes = 0

    def append(self, images: Pixels) -> None:
        """Append n images."""
        assert images.shape[1:] == self._format.shape
        self._chunks.append(images)
        self._num_bytes += images.nbytes
        if self._num_bytes > _MAX_MEMORY_BYTES:
            self._spill()

    def finish(self) -> Pixels:
        """All images, in order."""
        if not self._full:
            return joined(self._chunks or [self._format.none()], self._format)
        if self._chunks:
            self._spill()
        return joined(self._full, self._format)

    def _spill(self) -> None:
        """Move the chunks into a file."""
        num_images = sum(map(len, self._chunks))
        with tempfile.TemporaryFile() as file:
            for chunk in self._chunks:
                file.write(np.ascontiguousarray(chunk).data)
            file.flush()
            shape = (num_images, *self._format.shape)
            self._full.append(np.memmap(file, dtype=np.uint8, mode="r", shape=shape))
        self._chunks, self._num_bytes = [], 0
