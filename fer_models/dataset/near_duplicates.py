"""Near copies: found by a signature at coarse pictures, confirmed by aligning the pixels.

N images, uint8 N x 48 x 48; P pairs. All sums are of integers, so that the same images are found
on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_similarity import PROMISING, similarity
from fer_models.dataset.snapshot import IMAGE_SIZE_PX, Images
from fer_models.progress import report

Positions = npt.NDArray[np.int64]

_THUMBNAIL_CELLS = 8
_READ_BLOCK = 4096
_SIGNATURE_BLOCK = 512
# A dot product of two signatures stays below 2**24: exact in single precision, in any order.
_SIGNATURE_LENGTH = 4000
# Correlation of two signatures from which a pair is aligned. Mirror images are rare and as costly.
_MIN_SIGNATURE_CORRELATION = 0.90
_MIN_MIRRORED_CORRELATION = 0.94


@dataclass(frozen=True)
class NearDuplicates:
    """P found copies: row `copies[i]` shows the picture that row `originals[i]` shows.

    Attributes:
        copies, originals: P rows each; no original is a copy.
        similarity: P values 0..1, 1 = equal; see `fer_models.dataset.image_similarity.similarity`.
        mirrored: P booleans: whether the copy is the mirror image.
    """

    copies: Positions
    originals: Positions
    similarity: npt.NDArray[np.float64]
    mirrored: npt.NDArray[np.bool_]


def find_near_duplicates(
    images: Images,
    held_out: Positions,
    training: Positions,
    min_similarity: float,
    stage: str = "clean",
) -> NearDuplicates:
    """Training images that show the same picture as a held-out or an earlier training image.

    Brightness, contrast, a mark in a corner, a shift of up to 3 pixels, a scale of 0.86 to 1.15
    and mirroring make no difference. Pairs whose 8 x 8 cells correlate are aligned pixel by
    pixel. An image counts as an original only while it is not a copy itself, so nothing is left
    without the image that it was like.

    Args:
        images: uint8 N x 48 x 48.
        held_out: rows that are always originals.
        training: rows that may be copies, in the order of precedence.
        min_similarity: correlation (0..1) of the aligned pictures that confirms a copy; below 0.75
            it counts as 0.75.
        stage: under whose name progress is told.
    """
    order = np.concatenate([held_out, training])
    is_copy = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, float, bool]] = []
    for pairs in _signature_pairs(images, order, len(held_out), stage):
        is_open = ~is_copy[pairs[0]]
        earlier, later, mirrored = (part[is_open] for part in pairs)
        second = images[order[later]]
        second[mirrored] = second[mirrored, :, ::-1]
        alike = similarity(images[order[earlier]], second)
        for i in np.flatnonzero(alike >= max(min_similarity, PROMISING)).tolist():
            if not is_copy[earlier[i]] and not is_copy[later[i]]:
                is_copy[later[i]] = True
                pair = int(order[later[i]]), int(order[earlier[i]])
                found.append((*pair, float(alike[i]), bool(mirrored[i])))
    return NearDuplicates(
        copies=np.array([entry[0] for entry in found], dtype=np.int64),
        originals=np.array([entry[1] for entry in found], dtype=np.int64),
        similarity=np.array([entry[2] for entry in found], dtype=np.float64),
        mirrored=np.array([entry[3] for entry in found], dtype=bool),
    )


def _signature_pairs(
    images: Images, order: Positions, num_held_out: int, stage: str
) -> Iterator[tuple[Positions, Positions, npt.NDArray[np.bool_]]]:
    """Pairs (earlier, later, mirrored) of alike signatures, later ones ascending, in blocks."""
    plain = _signatures(images, order)
    # Cells of a mirrored image are the mirrored cells of the image.
    sides = plain.reshape(-1, _THUMBNAIL_CELLS, _THUMBNAIL_CELLS)[:, :, ::-1].reshape(plain.shape)
    total, kinds = (
        len(order),
        ((plain, False, _MIN_SIGNATURE_CORRELATION), (sides, True, _MIN_MIRRORED_CORRELATION)),
    )
    for start in range(num_held_out, total, _SIGNATURE_BLOCK):
        stop = min(start + _SIGNATURE_BLOCK, total)
        pairs = []
        for signatures, mirrored, least in kinds:
            alike = signatures[start:stop] @ plain[:stop].T >= least * _SIGNATURE_LENGTH**2
            later, earlier = np.nonzero(alike)
            before = earlier < later + start
            later, earlier = later[before] + start, earlier[before]
            pairs.append((earlier, later, np.full(len(later), mirrored)))
        report(stage, stop - num_held_out, total - num_held_out, "images", "near copies")
        earlier, later, flags = (np.concatenate(part) for part in zip(*pairs, strict=True))
        ascending = np.lexsort((flags, earlier, later))
        yield earlier[ascending], later[ascending], flags[ascending]


def _signatures(images: Images, order: Positions) -> npt.NDArray[np.float32]:
    """Whole numbers n x 64: cells of 6 x 6 pixels without mean, brought to length 4000."""
    signatures = np.empty((len(order), _THUMBNAIL_CELLS**2), dtype=np.float32)
    side = IMAGE_SIZE_PX // _THUMBNAIL_CELLS
    for start in range(0, len(order), _READ_BLOCK):
        block = images[order[start : start + _READ_BLOCK]].astype(np.int64)
        cells = block.reshape(len(block), _THUMBNAIL_CELLS, side, _THUMBNAIL_CELLS, side)
        sums = cells.sum(axis=(2, 4)).reshape(len(block), -1)
        centred = sums * _THUMBNAIL_CELLS**2 - sums.sum(axis=1, keepdims=True)
        length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        signatures[start : start + len(block)] = np.round(
            centred / np.maximum(length, 1.0) * _SIGNATURE_LENGTH
        )
    return signatures
