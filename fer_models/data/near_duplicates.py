"""Near copies: found by a perceptual hash, confirmed on the pixels.

N images, uint8 N x 48 x 48; P pairs. All sums are of integers, so that the same images are found
on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.data.snapshot import IMAGE_SIZE_PX, Images
from fer_models.progress import report

Positions = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_CELLS = 16  # the image is averaged to 16 x 16 cells before the cosine transform
_FREQUENCIES = 8  # the 8 x 8 lowest ones give the 64 bits
_COSINE_UNIT = 4096
_HASH_BLOCK = 4096
_PAIR_BLOCK = 64
_CONFIRM_BLOCK = 1024
_SHIFTS = tuple((down, across) for down in (-1, 0, 1) for across in (-1, 0, 1))


@dataclass(frozen=True)
class NearDuplicates:
    """P found copies: row `copies[i]` is nearly row `originals[i]`.

    `differences` is their mean absolute grey-value difference (0..255).
    """

    copies: Positions
    originals: Positions
    differences: npt.NDArray[np.float64]


def perceptual_hashes(images: Images) -> Hashes:
    """64-bit hash of each image's low frequencies (DCT-II hash, Zauner 2010).

    Alike images differ in few bits; unlike ones in about 32.
    """
    hashes = np.empty(len(images), dtype=np.uint64)
    place_values = np.uint64(1) << np.arange(64, dtype=np.uint64)
    cosines = _cosines()
    for start in range(0, len(images), _HASH_BLOCK):
        block = images[start : start + _HASH_BLOCK].astype(np.int64)
        side = IMAGE_SIZE_PX // _CELLS
        cells = block.reshape(len(block), _CELLS, side, _CELLS, side).sum(axis=(2, 4))
        waves = (cosines @ cells @ cosines.T).reshape(len(block), -1)
        # The first wave is the mean grey value: it says nothing of the content.
        middle = np.partition(waves[:, 1:], waves.shape[1] // 2 - 1, axis=1)
        bits = waves > middle[:, waves.shape[1] // 2 - 1 : waves.shape[1] // 2]
        bits[:, 0] = False
        hashes[start : start + len(block)] = (bits * place_values).sum(axis=1, dtype=np.uint64)
    return hashes


def find_near_duplicates(
    images: Images,
    held_out: Positions,
    training: Positions,
    max_bits: int,
    max_difference: float,
) -> NearDuplicates:
    """Training images that are nearly a held-out image or an earlier training image.

    An image counts as an original only while it is not a copy itself, so nothing is left without
    the image that it was like.

    Args:
        images: uint8 N x 48 x 48.
        held_out: rows that are always originals.
        training: rows that may be copies, in the order of precedence.
        max_bits: hash bits (0..64) that may differ.
        max_difference: mean absolute grey-value difference (0..255) that still confirms.
    """
    order = np.concatenate([held_out, training])
    hashes = perceptual_hashes(images[order])
    is_copy = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, float]] = []
    for earlier, later in _hash_pairs(hashes, len(held_out), max_bits):
        differences = mean_differences(images, order[earlier], order[later])
        for i in np.flatnonzero(differences <= max_difference).tolist():
            if not is_copy[earlier[i]] and not is_copy[later[i]]:
                is_copy[later[i]] = True
                found.append((int(order[later[i]]), int(order[earlier[i]]), differences[i]))
    return NearDuplicates(
        copies=np.array([copy for copy, _, _ in found], dtype=np.int64),
        originals=np.array([original for _, original, _ in found], dtype=np.int64),
        differences=np.array([difference for _, _, difference in found], dtype=np.float64),
    )


def mean_differences(
    images: Images, first: Positions, second: Positions
) -> npt.NDArray[np.float64]:
    """Mean absolute grey-value difference (0..255) of P pairs, brightness and position aligned.

    The mean difference is taken off, and the smallest value over shifts of up to one pixel counts.
    The outermost pixels are left out.
    """
    differences = np.empty(len(first), dtype=np.float64)
    inner = slice(1, -1)
    for start in range(0, len(first), _CONFIRM_BLOCK):
        part = slice(start, start + _CONFIRM_BLOCK)
        fixed = images[first[part]][:, inner, inner].astype(np.int64)
        moving = images[second[part]].astype(np.int64)
        num_pixels = fixed.shape[1] * fixed.shape[2]
        best = np.full(len(fixed), np.iinfo(np.int64).max)
        for down, across in _SHIFTS:
            rows = slice(1 + down, IMAGE_SIZE_PX - 1 + down)
            columns = slice(1 + across, IMAGE_SIZE_PX - 1 + across)
            gap = fixed - moving[:, rows, columns]
            total = gap.sum(axis=(1, 2), keepdims=True)
            best = np.minimum(best, np.abs(num_pixels * gap - total).sum(axis=(1, 2)))
        differences[part] = best / (num_pixels * num_pixels)
    return differences


def _hash_pairs(
    hashes: Hashes, num_held_out: int, max_bits: int
) -> Iterator[tuple[Positions, Positions]]:
    """Pairs (earlier, later) within `max_bits`, later ones ascending; not two held-out images.

    Every pair is compared, in blocks: 32,000 images take a few seconds. An index of hash parts
    would lose its advantage at the distances that find shifted copies, and on faces, which are
    all alike.
    """
    total = len(hashes)
    for start in range(num_held_out, total, _PAIR_BLOCK):
        stop = min(start + _PAIR_BLOCK, total)
        bits = np.bitwise_count(hashes[start:stop, None] ^ hashes[None, :stop])
        later, earlier = np.nonzero(bits <= max_bits)
        before = earlier < later + start
        report("clean", stop - num_held_out, total - num_held_out, "images", "near copies")
        yield earlier[before].astype(np.int64), (later[before] + start).astype(np.int64)


def _cosines() -> npt.NDArray[np.int64]:
    """The cosine transform's rows 0..7 for 16 values, as integers (cos of 0 is 4096)."""
    frequency = np.arange(_FREQUENCIES)[:, None]
    place = np.arange(_CELLS)[None, :]
    waves = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _CELLS))
    return np.round(waves * _COSINE_UNIT).astype(np.int64)
