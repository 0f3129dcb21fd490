"""Near copies: found by a glance at coarse pictures, confirmed by aligning the pixels.

N images, uint8 N x 48 x 48; P pairs. All sums are of integers, so that the same images are found
on every machine.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.data.alignment import PROMISING, likeness
from fer_models.data.snapshot import IMAGE_SIZE_PX, Images
from fer_models.progress import report

Positions = npt.NDArray[np.int64]

_GLANCE_CELLS = 8
_READ_BLOCK = 4096
_GLANCE_BLOCK = 512
# A dot product of two glances stays below 2**24: exact in single precision, in any order.
_GLANCE_LENGTH = 4000
# Correlation of two glances from which a pair is aligned. Mirror images are rare and as costly.
_MIN_GLANCE = 0.90
_MIN_MIRRORED_GLANCE = 0.94


@dataclass(frozen=True)
class SamePictures:
    """P found copies: row `copies[i]` shows the picture that row `originals[i]` shows.

    Attributes:
        copies, originals: P rows each; no original is a copy.
        likeness: P values 0..1, 1 = equal; see `fer_models.data.alignment.likeness`.
        mirrored: P booleans: whether the copy is the mirror image.
    """

    copies: Positions
    originals: Positions
    likeness: npt.NDArray[np.float64]
    mirrored: npt.NDArray[np.bool_]


def find_same_pictures(
    images: Images,
    held_out: Positions,
    training: Positions,
    min_likeness: float,
    stage: str = "clean",
) -> SamePictures:
    """Training images that show the same picture as a held-out or an earlier training image.

    Brightness, contrast, a mark in a corner, a shift of up to 3 pixels, a scale of 0.86 to 1.15
    and mirroring make no difference. Pairs whose 8 x 8 cells correlate are aligned pixel by
    pixel. An image counts as an original only while it is not a copy itself, so nothing is left
    without the image that it was like.

    Args:
        images: uint8 N x 48 x 48.
        held_out: rows that are always originals.
        training: rows that may be copies, in the order of precedence.
        min_likeness: correlation (0..1) of the aligned pictures that confirms a copy; below 0.75
            it counts as 0.75.
        stage: under whose name progress is told.
    """
    order = np.concatenate([held_out, training])
    is_copy = np.zeros(len(order), dtype=bool)
    found: list[tuple[int, int, float, bool]] = []
    for pairs in _glance_pairs(images, order, len(held_out), stage):
        is_open = ~is_copy[pairs[0]]
        earlier, later, mirrored = (part[is_open] for part in pairs)
        second = images[order[later]]
        second[mirrored] = second[mirrored, :, ::-1]
        alike = likeness(images[order[earlier]], second)
        for i in np.flatnonzero(alike >= max(min_likeness, PROMISING)).tolist():
            if not is_copy[earlier[i]] and not is_copy[later[i]]:
                is_copy[later[i]] = True
                pair = int(order[later[i]]), int(order[earlier[i]])
                found.append((*pair, float(alike[i]), bool(mirrored[i])))
    return SamePictures(
        copies=np.array([entry[0] for entry in found], dtype=np.int64),
        originals=np.array([entry[1] for entry in found], dtype=np.int64),
        likeness=np.array([entry[2] for entry in found], dtype=np.float64),
        mirrored=np.array([entry[3] for entry in found], dtype=bool),
    )


def _glance_pairs(
    images: Images, order: Positions, num_held_out: int, stage: str
) -> Iterator[tuple[Positions, Positions, npt.NDArray[np.bool_]]]:
    """Pairs (earlier, later, mirrored) of alike glances, later ones ascending, in blocks."""
    plain = _glances(images, order)
    # Cells of a mirrored image are the mirrored cells of the image.
    sides = plain.reshape(-1, _GLANCE_CELLS, _GLANCE_CELLS)[:, :, ::-1].reshape(plain.shape)
    total, kinds = len(order), ((plain, False, _MIN_GLANCE), (sides, True, _MIN_MIRRORED_GLANCE))
    for start in range(num_held_out, total, _GLANCE_BLOCK):
        stop = min(start + _GLANCE_BLOCK, total)
        pairs = []
        for glances, mirrored, least in kinds:
            alike = glances[start:stop] @ plain[:stop].T >= least * _GLANCE_LENGTH**2
            later, earlier = np.nonzero(alike)
            before = earlier < later + start
            later, earlier = later[before] + start, earlier[before]
            pairs.append((earlier, later, np.full(len(later), mirrored)))
        report(stage, stop - num_held_out, total - num_held_out, "images", "near copies")
        earlier, later, flags = (np.concatenate(part) for part in zip(*pairs, strict=True))
        ascending = np.lexsort((flags, earlier, later))
        yield earlier[ascending], later[ascending], flags[ascending]


def _glances(images: Images, order: Positions) -> npt.NDArray[np.float32]:
    """Whole numbers n x 64: cells of 6 x 6 pixels without mean, brought to length 4000."""
    glances = np.empty((len(order), _GLANCE_CELLS**2), dtype=np.float32)
    side = IMAGE_SIZE_PX // _GLANCE_CELLS
    for start in range(0, len(order), _READ_BLOCK):
        block = images[order[start : start + _READ_BLOCK]].astype(np.int64)
        cells = block.reshape(len(block), _GLANCE_CELLS, side, _GLANCE_CELLS, side)
        sums = cells.sum(axis=(2, 4)).reshape(len(block), -1)
        centred = sums * _GLANCE_CELLS**2 - sums.sum(axis=1, keepdims=True)
        length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        glances[start : start + len(block)] = np.round(
            centred / np.maximum(length, 1.0) * _GLANCE_LENGTH
        )
    return glances
