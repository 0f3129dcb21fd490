"""Arithmetic of boxes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fer_models.faces.boxes import cut_patches, keep_best, moved, squares

CORNERS = arrays(np.float64, st.tuples(st.integers(1, 12), st.just(2)), elements=st.floats(0, 50))


def test_a_worse_box_that_overlaps_too_much_is_dropped() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 20, 30, 30]], dtype=np.float64)
    kept = keep_best(boxes, np.array([0.6, 0.9, 0.5]), 0.5)
    assert kept.tolist() == [1, 2]


@pytest.mark.parametrize(("of_smaller", "kept"), [(False, [0, 1]), (True, [0])])
def test_a_small_box_in_a_large_one_overlaps_by_its_own_area(
    of_smaller: bool, kept: list[int]
) -> None:
    boxes = np.array([[0, 0, 10, 10], [2, 2, 6, 6]], dtype=np.float64)
    assert keep_best(boxes, np.array([0.9, 0.8]), 0.5, of_smaller=of_smaller).tolist() == kept


@given(CORNERS, st.floats(0.1, 0.9))
def test_what_is_kept_does_not_overlap_and_covers_what_is_dropped(
    corners: np.ndarray, max_overlap: float
) -> None:
    boxes = np.hstack([corners, corners + 10])
    scores = np.linspace(1, 0.5, len(boxes))
    kept = set(keep_best(boxes, scores, max_overlap).tolist())

    def overlap(one: int, other: int) -> float:
        sides = 10 - np.abs(corners[one] - corners[other])
        shared = float(np.prod(np.maximum(sides, 0)))
        return shared / (200 - shared)

    for number in range(len(boxes)):
        better = [overlap(number, other) for other in kept if other < number]
        assert (number in kept) == all(one <= max_overlap + 1e-9 for one in better) or any(
            abs(one - max_overlap) < 1e-9 for one in better
        )


def test_squares_have_the_same_centre_and_the_longer_side() -> None:
    assert squares(np.array([[0.0, 0, 10, 4]])).tolist() == [[0, -3, 10, 7]]


def test_offsets_are_shares_of_the_box() -> None:
    box, offset = np.array([[10.0, 20, 30, 60]]), np.array([[0.1, -0.1, 0, 0.5]])
    assert moved(box, offset).tolist() == [[12, 16, 30, 80]]


def test_a_patch_beyond_the_picture_is_black_there() -> None:
    picture = np.full((8, 8, 3), 200, dtype=np.uint8)
    [patch] = cut_patches(picture, np.array([[-4.0, 0, 4, 8]]), 8)
    assert (patch[:, :3] == 0).all()
    assert (patch[:, 5:] == 200).all()
