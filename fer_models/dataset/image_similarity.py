"""Similarity of two images after one is scaled and shifted onto the other.

P pairs of images, uint8 P x 48 x 48; A offsets along each axis; m the side of the compared centre.
Own code, although OpenCV registers images: all sums here are of integers below 2**53 and exact in
any order, so every machine finds the same similarity and the same copies.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_models.dataset.config import PROMISING_SIMILARITY
from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images

Values = npt.NDArray[np.float64]

_BLOCK = 128
_SIXTEENTHS = 16  # positions are in 1/16 pixel
_SCALES_PERCENT = (88, 92, 96, 100, 104, 108, 113)
_FINER_PERCENT = (-2, 0, 2)
_COARSE_PX = 16  # centre compared at half size
_FINE_PX = 34  # centre compared at full size
_COARSE_OFFSETS = (-16, 0, 16)  # of the halved image: 2 pixels up or down, left or right
_FINE_OFFSETS = (-16, -8, 0, 8, 16)


def similarity(first: Images, second: Images) -> Values:
    """Similarity of P pairs, independent of brightness, contrast and framing.

    The correlation coefficient of the centre of `first` with that of `second`, maximised over
    scales of 0.86 to 1.15 and shifts of up to 3 pixels. The search runs at half size first. Where
    that is promising, it is refined around the best alignment in steps of half a pixel.

    Args:
        first: uint8 P x 48 x 48.
        second: uint8 P x 48 x 48.

    Returns:
        float64 P, -1 to 1; 1 = the same picture. Unpromising pairs keep their coarse similarity,
        which is below 0.75.

    Example:
        shifted = np.roll(images, 2, axis=2)
        similarity(images, shifted)  # close to 1 for every image
    """
    found = np.empty(len(first), dtype=np.float64)
    for start in range(0, len(first), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = _block_similarity(first[part], second[part])
    return found


def _block_similarity(first: Images, second: Images) -> Values:
    halves = [_halved(images) for images in (first, second)]
    fixed = _centre(halves[0], _COARSE_PX)
    best, alignment = np.full(len(first), -1.0), np.zeros((len(first), 3), dtype=np.int64)
    for scale in _SCALES_PERCENT:
        values = _correlations(fixed, halves[1], scale, _COARSE_OFFSETS, _COARSE_OFFSETS)
        flat = values.reshape(len(values), -1)
        at = flat.argmax(axis=1)
        highest = flat[np.arange(len(flat)), at]
        better = highest > best
        best[better] = highest[better]
        steps = np.stack(np.unravel_index(at, values.shape[1:]), axis=1) - 1
        alignment[better, 0], alignment[better, 1:] = scale, steps[better]
    promising = np.flatnonzero(best >= PROMISING_SIMILARITY)
    if promising.size:
        best[promising] = _refined(first[promising], second[promising], alignment[promising])
    return best


def _refined(first: Images, second: Images, alignment: npt.NDArray[np.int64]) -> Values:
    """Similarity at full size, near each pair's alignment (scale in percent, steps of 2 pixels)."""
    best = np.full(len(first), -1.0)
    alignments, group = np.unique(alignment, axis=0, return_inverse=True)
    for number, (scale, down, across) in enumerate(alignments.tolist()):
        pairs = np.flatnonzero(group.ravel() == number)
        fixed = _centre(first[pairs].astype(np.float64), _FINE_PX)
        moving = second[pairs].astype(np.float64)
        offsets = [
            [step * 2 * _SIXTEENTHS + finer for finer in _FINE_OFFSETS] for step in (down, across)
        ]
        for finer in _FINER_PERCENT:
            values = _correlations(fixed, moving, scale + finer, *offsets)
            best[pairs] = np.maximum(best[pairs], values.max(axis=(1, 2)))
    return best


def _correlations(
    fixed: Values,
    moving: Values,
    scale_percent: int,
    offsets_down: Sequence[int],
    offsets_across: Sequence[int],
) -> Values:
    """Correlation coefficients P x A x A of `fixed` (P x m x m) with every moved centre."""
    count, side = fixed.shape[:2]
    down = _sampling(moving.shape[1], side, scale_percent, offsets_down)
    across = _sampling(moving.shape[1], side, scale_percent, offsets_across)
    # Two large products are faster than a product of small matrices per pair.
    size = moving.shape[1]
    rows = down @ moving.swapaxes(0, 1).reshape(size, count * size)
    samples = (rows.reshape(-1, size) @ across.T).reshape(
        len(offsets_down), side, count, len(offsets_across), side
    )
    moved = samples.transpose(2, 0, 3, 1, 4).reshape(count, -1, side * side)
    still = fixed.reshape(count, side * side)
    pixels = side * side
    sums, squares = moved.sum(axis=2), np.einsum("pam,pam->pa", moved, moved)
    still_sum, still_square = (
        still.sum(axis=1, keepdims=True),
        (still * still).sum(axis=1, keepdims=True),
    )
    covariance = pixels * np.einsum("pam,pm->pa", moved, still) - sums * still_sum
    spread = np.sqrt(pixels * squares - sums * sums)
    spread = spread * np.sqrt(pixels * still_square - still_sum * still_sum)
    values: Values = covariance / np.maximum(spread, 1.0)
    return values.reshape(count, len(offsets_down), len(offsets_across))


def _sampling(size: int, side: int, scale_percent: int, offsets: Sequence[int]) -> Values:
    """Linear-interpolation weights (A * side) x size, in sixteenths, around an image's centre."""
    weights = np.zeros((len(offsets), side, size))
    step = (2 * np.arange(side) - side + 1) * scale_percent * _SIXTEENTHS // 200
    for number, offset in enumerate(offsets):
        position = (size - 1) * _SIXTEENTHS // 2 + step + offset
        before, after = position // _SIXTEENTHS, position % _SIXTEENTHS
        weights[number, np.arange(side), before] = _SIXTEENTHS - after
        weights[number, np.arange(side), before + 1] = after
    return weights.reshape(-1, size)


def _halved(images: Images) -> Values:
    half = IMAGE_SIZE_PX // 2
    squares = images.reshape(len(images), half, 2, half, 2)
    sums: Values = squares.sum(axis=(2, 4), dtype=np.float64)
    return sums


def _centre(images: Values, side: int) -> Values:
    edge = (images.shape[1] - side) // 2
    return images[:, edge : edge + side, edge : edge + side]
