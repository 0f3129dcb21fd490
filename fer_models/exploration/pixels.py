"""Grey values: statistics and histograms of images and groups of images, and mean faces.

N images of P = 2304 pixels, G groups. Sums are exact integers and each figure is rounded once, so
they are the same on every machine and in every order of the images.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import Images
from fer_models.progress import report

GREY_LEVELS = 256
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BLOCK = 1024
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PixelSums:
    """What one pass over N images gives.

    Attributes:
        total, squares: sum of the grey values and of their squares, N each.
        darkest, brightest: smallest and largest grey value, N each.
        histograms: pixels by group and grey value, G x 256.
        face_total, face_squares: the same sums by pixel over the images of a group, G x 48 x 48.
        group: the group (0..G-1) of each image.
    """

    total: Ints
    squares: Ints
    darkest: Ints
    brightest: Ints
    histograms: Ints
    face_total: Ints
    face_squares: Ints
    group: Ints
    num_pixels: int

    @property
    def mean(self) -> Floats:
        """Mean grey value of each image, 0 (black) .. 255."""
        return self.total / self.num_pixels

    @property
    def std(self) -> Floats:
        """Standard deviation of each image's grey values, 0 .. 127.5."""
        spread = self.num_pixels * self.squares - self.total * self.total
        return np.asarray(np.sqrt(spread) / self.num_pixels, dtype=np.float64)

    def mean_face(self, group: int) -> Floats:
        """The mean of a group's images (it has at least one), 48 x 48, 0 .. 255."""
        return np.asarray(self.face_total[group] / (self.group == group).sum(), dtype=np.float64)

    def std_face(self, group: int) -> Floats:
        """How much each pixel differs among a group's images: standard deviation, 0 .. 127.5."""
        count = int((self.group == group).sum())
        spread = count * self.face_squares[group] - self.face_total[group] ** 2
        return np.asarray(np.sqrt(spread) / count, dtype=np.float64)


def scan(images: Images, group: Ints, num_groups: int) -> PixelSums:
    """Go once over the images (uint8 N x 48 x 48), each of which belongs to one group."""
    count, shape = len(images), images.shape[1:]
    total, squares, darkest, brightest = (np.zeros(count, dtype=np.int64) for _ in range(4))
    histograms = np.zeros((num_groups, GREY_LEVELS), dtype=np.int64)
    face_total = np.zeros((num_groups, *shape), dtype=np.int64)
    face_squares = np.zeros_like(face_total)
    for start in range(0, count, _BLOCK):
        report("explore", start, count, "images", "grey values")
        block = np.ascontiguousarray(images[start : start + _BLOCK]).reshape(-1, math.prod(shape))
        here = slice(start, start + len(block))
        squared = np.square(block, dtype=np.uint16)
        total[here] = block.sum(axis=1, dtype=np.int64)
        squares[here] = squared.sum(axis=1, dtype=np.int64)
        darkest[here], brightest[here] = block.min(axis=1), block.max(axis=1)
        for number in np.unique(group[here]):
            members = group[here] == number
            chosen = block[members]
            histograms[number] += np.bincount(chosen.ravel(), minlength=GREY_LEVELS)
            face_total[number] += chosen.sum(axis=0, dtype=np.int64).reshape(shape)
            face_squares[number] += squared[members].sum(axis=0, dtype=np.int64).reshape(shape)
    report("explore", count, count, "images", "grey values")
    return PixelSums(
        total,
        squares,
        darkest,
        brightest,
        histograms,
        face_total,
        face_squares,
        group,
        math.prod(shape),
    )


def describe(sums: PixelSums, mask: npt.NDArray[np.bool_]) -> dict[str, Any] | None:
    """Figures of the images in `mask` (N booleans); None when there are none.

    Keys: `n`; `mean` (of the images' means, that is, of all pixels); `std` (the mean of the
    images' standard deviations); `pixel_std` (the standard deviation of all pixels together);
    `min`, `max`; and `mean_quantiles`, `std_quantiles` (5, 25, 50, 75, 95 % of the images).
    """
    count = int(mask.sum())
    if count == 0:
        return None
    pixels = count * sums.num_pixels
    total, squares = int(sums.total[mask].sum()), int(sums.squares[mask].sum())
    deviations = sums.std[mask]
    return {
        "n": count,
        "mean": total / pixels,
        "std": math.fsum(deviations) / count,
        "pixel_std": math.sqrt(pixels * squares - total * total) / pixels,
        "min": int(sums.darkest[mask].min()),
        "max": int(sums.brightest[mask].max()),
        "mean_quantiles": quantiles(sums.mean[mask]),
        "std_quantiles": quantiles(deviations),
    }


def quantiles(values: Floats) -> list[float]:
    """The values below which 5, 25, 50, 75 and 95 % lie; each is one of the values."""
    return [float(v) for v in np.quantile(values, QUANTILES, method="inverted_cdf")]
