"""Grey-value statistics: mean and standard deviation per image, and over all pixels.

N images of P pixels, uint8. Sums are exact integers, so they do not depend on the machine, the
block size or the order of the images. Images are read in blocks: memory-mapped ones stay on disk.

Own code because numpy's `mean` and `std` convert a whole data set to floating point and round
their sums.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import Images

_IMAGES_PER_BLOCK = 1024

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GreySums:
    """Exact sums over the pixels of each image.

    The three standard deviations are the same number up to the last bits: they round in different
    places. Results are stored under all three, and some of them are part of an artifact's id, so
    each caller keeps its own.

    Attributes:
        total: sum of the grey values, N.
        squares: sum of their squares, N.
        num_pixels: P.
    """

    total: Ints
    squares: Ints
    num_pixels: int

    @property
    def mean(self) -> Floats:
        """Mean grey value of each image, 0 (black) .. 255 (white)."""
        return np.asarray(self.total / self.num_pixels, dtype=np.float64)

    @property
    def std(self) -> Floats:
        """Standard deviation of each image's grey values, 0 .. 127.5."""
        return np.asarray(np.sqrt(self._scaled_variance()) / self.num_pixels, dtype=np.float64)

    @property
    def std_of_variance(self) -> Floats:
        """As `std`, as the root of the rounded variance (cleaning decisions)."""
        variance = self._scaled_variance() / (self.num_pixels * self.num_pixels)
        return np.asarray(np.sqrt(variance), dtype=np.float64)

    @property
    def std_of_moments(self) -> Floats:
        """As `std`, from the rounded first and second moment (validation and drift).

        Less precise: about 1e-12 grey values off for ordinary images, and more as `std` nears 0.
        It is 0 for constant images, too, whose moments are whole numbers.
        """
        variance = self.squares / self.num_pixels - self.mean * self.mean
        return np.asarray(np.sqrt(variance), dtype=np.float64)

    def pooled_mean_and_std(self, mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
        """Mean and standard deviation (0..255) of all pixels of the images in `mask` (N booleans).

        At least one image must be selected.
        """
        pixels = int(mask.sum()) * self.num_pixels
        total, squares = int(self.total[mask].sum()), int(self.squares[mask].sum())
        return total / pixels, math.sqrt(pixels * squares - total * total) / pixels

    def _scaled_variance(self) -> Ints:
        """The variance times P squared, exact."""
        return self.num_pixels * self.squares - self.total * self.total


def grey_sums(images: Images) -> GreySums:
    """Sum the grey values of each image, and their squares.

    Example:
        sums = grey_sums(open_snapshot(store, snapshot).images)
        darkest, flattest = sums.mean.argmin(), sums.std.argmin()

    Args:
        images: uint8 N x height x width; N may be 0.
    """
    count, num_pixels = len(images), math.prod(images.shape[1:])
    total, squares = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    for start in range(0, count, _IMAGES_PER_BLOCK):
        block = np.asarray(images[start : start + _IMAGES_PER_BLOCK]).reshape(-1, num_pixels)
        span = slice(start, start + len(block))
        total[span] = block.sum(axis=1, dtype=np.int64)
        # 255 squared just fits 16 bits.
        squares[span] = np.square(block, dtype=np.uint16).sum(axis=1, dtype=np.int64)
    return GreySums(total, squares, num_pixels)


def pixel_mean_and_std(images: Images) -> tuple[float, float]:
    """Mean and standard deviation of all pixels together, grey values 0..255.

    The variance is rounded once, from exact integers.

    Args:
        images: uint8 N x height x width, N > 0.
    """
    sums = grey_sums(images)
    total, squares = int(sums.total.sum()), int(sums.squares.sum())
    variance = (images.size * squares - total**2) / images.size**2
    return total / images.size, variance**0.5
