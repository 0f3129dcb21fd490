"""Faces of successive frames joined to tracks, by how much their boxes overlap.

N known tracks, M boxes of a new frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from fer_models.faces.found import Box

Overlaps = npt.NDArray[np.float64]


def overlap_matrix(known: Sequence[Box], boxes: Sequence[Box]) -> Overlaps:
    """Intersection over union of every pair of boxes, N x M, 0..1."""
    a_N4 = np.asarray(known, dtype=np.float64).reshape(-1, 4)
    b_M4 = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
    low = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    high = np.minimum(a_N4[:, None, 2:], b_M4[None, :, 2:])
    shared_NM = (high - low).clip(min=0).prod(axis=2)
    union_NM = _areas(a_N4)[:, None] + _areas(b_M4)[None] - shared_NM
    return np.asarray(shared_NM / np.where(union_NM > 0, union_NM, 1.0))


def match_boxes(known: Sequence[Box], boxes: Sequence[Box], min_overlap: float) -> dict[int, int]:
    """The known box of each new one, by position: the assignment of the largest total overlap.

    Pairs that overlap less than `min_overlap` are not matched.
    """
    from scipy.optimize import linear_sum_assignment

    overlaps_NM = overlap_matrix(known, boxes)
    allowed_NM = np.where(overlaps_NM >= min_overlap, overlaps_NM, 0.0)
    rows, columns = linear_sum_assignment(allowed_NM, maximize=True)
    return {
        int(column): int(row)
        for row, column in zip(rows, columns, strict=True)
        if overlaps_NM[row, column] >= min_overlap
    }


@dataclass(frozen=True)
class _Track:
    number: int
    box: Box
    seen_s: float


class Tracker:
    """Gives the faces of successive frames the numbers of their tracks, from 0.

    A track ends when it was not seen for longer than `max_missing_s`; its number is not used again.

    Args:
        min_overlap: intersection over union of a face with where it was seen last, 0..1.
        max_missing_s: seconds that a face may be hidden.

    Example:
        tracker = Tracker()
        tracker.update(0.0, [(10, 10, 50, 50)])  # [0]
        tracker.update(0.2, [(90, 10, 130, 50), (12, 10, 52, 50)])  # [1, 0]
    """

    def __init__(self, min_overlap: float = 0.3, max_missing_s: float = 1.0) -> None:
        self._min_overlap = min_overlap
        self._max_missing_s = max_missing_s
        self._tracks: list[_Track] = []
        self._next = 0

    def update(self, time_s: float, boxes: Sequence[Box]) -> list[int]:
        """The track of each box of a frame; times don't decrease."""
        self._tracks = [
            track for track in self._tracks if time_s - track.seen_s <= self._max_missing_s
        ]
        matches = match_boxes([track.box for track in self._tracks], boxes, self._min_overlap)
        numbers = []
        for position, box in enumerate(boxes):
            if position in matches:
                row = matches[position]
                track = replace(self._tracks[row], box=box, seen_s=time_s)
                self._tracks[row] = track
            else:
                track = _Track(self._next, box, time_s)
                self._next += 1
                self._tracks.append(track)
            numbers.append(track.number)
        return numbers


def _areas(boxes: Overlaps) -> Overlaps:
    sizes = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(sizes.prod(axis=1))
