"""Arithmetic of boxes: overlap, squares, and cutting them out.

N boxes are float64 N x 4: left, top, right, bottom in pixels; the right and bottom edge are not
part of the box.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fer_models.faces.found import Colours

Boxes = npt.NDArray[np.float64]
Values = npt.NDArray[np.float64]


def keep_best(
    boxes: Boxes, scores: Values, max_overlap: float, *, of_smaller: bool = False
) -> npt.NDArray[np.int64]:
    """Non-maximum suppression: positions of the boxes to keep, the highest score first.

    A box is dropped if it overlaps a better one by more than `max_overlap`: their intersection, in
    shares of their union, or of the smaller of the two.
    """
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        if of_smaller:
            whole = np.minimum(areas[best], areas[rest])
        else:
            whole = areas[best] + areas[rest] - shared
        order = rest[shared <= max_overlap * whole]
    return np.array(kept, dtype=np.int64)


def squares(boxes: Boxes) -> Boxes:
    """The squares with the same centres and the longer sides."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    halves = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True) / 2
    return np.hstack([centres - halves, centres + halves])


def moved(boxes: Boxes, offsets: Boxes) -> Boxes:
    """Boxes whose edges are moved by offsets N x 4, in shares of width and height."""
    sizes = boxes[:, 2:] - boxes[:, :2]
    return boxes + offsets * np.hstack([sizes, sizes])


def cut_patches(picture: Colours, boxes: Sequence[Boxes] | Boxes, side: int) -> Colours:
    """The boxes' content, uint8 N x side x side x 3; black outside the picture."""
    from PIL import Image

    whole = Image.fromarray(picture)
    patches = np.zeros((len(boxes), side, side, 3), dtype=np.uint8)
    for patch, box in zip(patches, boxes, strict=True):
        left, top, right, bottom = (round(float(edge)) for edge in box)
        part = whole.crop((left, top, max(right, left + 1), max(bottom, top + 1)))
        patch[:] = np.asarray(part.resize((side, side), Image.Resampling.BILINEAR))
    return patches
