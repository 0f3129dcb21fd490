"""Histograms of oriented gradients (HOG) of face images.

N images, uint8 N x 48 x 48; G = 144 features (4 x 4 cells, 9 orientations). Own code, although
scikit-image has a HOG: all sums here are of integers, so every machine computes the same features.
"""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images

Features = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_CELL_PX = 12
_CELLS = IMAGE_SIZE_PX // _CELL_PX
_BINS = 9
NUM_FEATURES = _CELLS * _CELLS * _BINS
_UNIT = 16  # gradients are kept in 1/16 grey values
_MAX_DIFFERENCE = 255  # grey values differ by -255..255
_NUM_DIFFERENCES = 2 * _MAX_DIFFERENCE + 1
_FLAT_GRADIENT = 1.25 * _UNIT  # damps the features of images with a smaller mean gradient
_BLOCK = 512


def gradient_features(images: Images) -> Features:
    """HOG features of each image.

    Each pixel's gradient (central differences) is split between the two nearest of nine undirected
    orientations and summed over cells of 12 x 12 pixels (Dalal and Triggs 2005). The sums are
    divided by the image's mean gradient and their square roots taken, which reduces the influence
    of contrast and of single hard edges.

    Args:
        images: uint8 N x 48 x 48.

    Returns:
        float64 N x 144, 0 or more; all 0 for a flat image.
    """
    features = np.empty((len(images), NUM_FEATURES), dtype=np.float64)
    table = _gradient_table()
    for start in range(0, len(images), _BLOCK):
        sums = _orientation_sums(images[start : start + _BLOCK], *table)
        mean = sums.sum(axis=1, keepdims=True) / IMAGE_SIZE_PX**2
        features[start : start + len(sums)] = np.sqrt(sums / _CELL_PX**2 / (mean + _FLAT_GRADIENT))
    return features


def _orientation_sums(block: Images, lower_bin: Counts, lower: Counts, upper: Counts) -> Counts:
    """Gradient sums n x 144 of n images, by cell and orientation."""
    padded = np.pad(block.astype(np.int64), ((0, 0), (1, 1), (1, 1)), mode="edge")
    across = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    down = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    gradient = (down + _MAX_DIFFERENCE) * _NUM_DIFFERENCES + across + _MAX_DIFFERENCE
    index = np.arange(IMAGE_SIZE_PX) // _CELL_PX
    cell = (index[:, None] * _CELLS + index[None, :]) * _BINS
    first = np.arange(len(block))[:, None, None] * NUM_FEATURES + cell
    size = len(block) * NUM_FEATURES
    sums = np.zeros(size)
    for bins, weight in (
        (lower_bin[gradient], lower[gradient]),
        ((lower_bin[gradient] + 1) % _BINS, upper[gradient]),
    ):
        # Sums of integers below 2**53: exact in any order.
        sums += np.bincount((first + bins).ravel(), weight.ravel(), minlength=size)
    return sums.astype(np.int64).reshape(len(block), NUM_FEATURES)


def _gradient_table() -> tuple[Counts, Counts, Counts]:
    """Per gradient (down, across): lower orientation bin, weight in it and in the next bin."""
    step = np.arange(-_MAX_DIFFERENCE, _MAX_DIFFERENCE + 1, dtype=np.float64)
    down, across = np.repeat(step, _NUM_DIFFERENCES), np.tile(step, _NUM_DIFFERENCES)
    angle = (np.arctan2(down, across) % np.pi) / np.pi * _BINS
    # Rounded, so that the last bit of the arc tangent never changes a weight.
    angle = np.round(angle, 6) % _BINS
    lower_bin = np.floor(angle)
    length = np.sqrt(down * down + across * across) * _UNIT
    upper = np.round(length * (angle - lower_bin))
    lower = np.round(length) - upper
    return lower_bin.astype(np.int64), lower.astype(np.int64), upper.astype(np.int64)
