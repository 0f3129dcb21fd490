"""Grey-value statistics and histograms of images and groups of images, and mean faces.

N images of P = 2304 pixels, G groups. Sums are exact integers and each statistic is rounded once,
so results depend neither on the machine nor on the order of the images.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_stats import GreySums, grey_sums
from fer_models.dataset.snapshot import Images
from fer_models.progress import report

GREY_LEVELS = 256
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BLOCK = 1024
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PixelSums:
    """Pixel sums of N images, from one pass.

    Attributes:
        grey: sums of the grey values and of their squares, per image.
        darkest, brightest: smallest and largest grey value per image, N each.
        histograms: number of pixels by group and grey value, G x 256.
        face_total, face_squares: per-pixel sums over the images of each group, G x 48 x 48.
        group: the group (0..G-1) of each image, N.
    """

    grey: GreySums
    darkest: Ints
    brightest: Ints
    histograms: Ints
    face_total: Ints
    face_squares: Ints
    group: Ints

    @property
    def mean(self) -> Floats:
        """Mean grey value of each image (N), 0 (black) .. 255."""
        return self.grey.mean

    @property
    def std(self) -> Floats:
        """Standard deviation of each image's grey values (N), 0 .. 127.5."""
        return self.grey.std

    def mean_face(self, group: int) -> Floats:
        """Mean image of a non-empty group, 48 x 48, 0 .. 255."""
        return np.asarray(self.face_total[group] / (self.group == group).sum(), dtype=np.float64)

    def std_face(self, group: int) -> Floats:
        """Per-pixel standard deviation within a non-empty group, 48 x 48, 0 .. 127.5."""
        count = int((self.group == group).sum())
        spread = count * self.face_squares[group] - self.face_total[group] ** 2
        return np.asarray(np.sqrt(spread) / count, dtype=np.float64)


def scan(images: Images, group: Ints, num_groups: int) -> PixelSums:
    """Compute the sums in one pass over the images.

    Args:
        images: uint8, N x 48 x 48.
        group: group of each image, N integers 0..G-1.
        num_groups: G.
    """
    count, shape = len(images), images.shape[1:]
    total, squares, darkest, brightest = (np.zeros(count, dtype=np.int64) for _ in range(4))
    histograms = np.zeros((num_groups, GREY_LEVELS), dtype=np.int64)
    face_total = np.zeros((num_groups, *shape), dtype=np.int64)
    face_squares = np.zeros_like(face_total)
    for start in range(0, count, _BLOCK):
        report("explore", start, count, "images", "grey values")
        block = np.ascontiguousarray(images[start : start + _BLOCK]).reshape(-1, math.prod(shape))
        block_slice = slice(start, start + len(block))
        squared = np.square(block, dtype=np.uint16)
        sums = grey_sums(block)
        total[block_slice], squares[block_slice] = sums.total, sums.squares
        darkest[block_slice], brightest[block_slice] = block.min(axis=1), block.max(axis=1)
        for number in np.unique(group[block_slice]):
            members = group[block_slice] == number
            chosen = block[members]
            histograms[number] += np.bincount(chosen.ravel(), minlength=GREY_LEVELS)
            face_total[number] += chosen.sum(axis=0, dtype=np.int64).reshape(shape)
            face_squares[number] += squared[members].sum(axis=0, dtype=np.int64).reshape(shape)
    report("explore", count, count, "images", "grey values")
    grey = GreySums(total, squares, math.prod(shape))
    return PixelSums(grey, darkest, brightest, histograms, face_total, face_squares, group)


def describe(sums: PixelSums, mask: npt.NDArray[np.bool_]) -> dict[str, Any] | None:
    """Statistics of the images in `mask` (N booleans); None if it is empty.

    Keys: `n`; `mean` (over all pixels); `std` (mean of the images' standard deviations);
    `pixel_std` (standard deviation over all pixels); `min`, `max`; `mean_quantiles` and
    `std_quantiles` (5, 25, 50, 75 and 95 % quantiles of the images' means and deviations).
    """
    count = int(mask.sum())
    if count == 0:
        return None
    mean, pixel_std = sums.grey.pooled_mean_and_std(mask)
    deviations = sums.std[mask]
    return {
        "n": count,
        "mean": mean,
        "std": math.fsum(deviations) / count,
        "pixel_std": pixel_std,
        "min": int(sums.darkest[mask].min()),
        "max": int(sums.brightest[mask].max()),
        "mean_quantiles": quantiles(sums.mean[mask]),
        "std_quantiles": quantiles(deviations),
    }


def quantiles(values: Floats) -> list[float]:
    """The 5, 25, 50, 75 and 95 % quantiles; each is one of the values, not interpolated."""
    return [float(v) for v in np.quantile(values, QUANTILES, method="inverted_cdf")]
