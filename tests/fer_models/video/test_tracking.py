"""Tracks of boxes, and probabilities smoothed over time."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.faces.found import Box
from fer_models.inference.picture import PredictedFace
from fer_models.video.smoothing import Smoother, smoothed
from fer_models.video.tracking import Tracker, match_boxes, overlap_matrix

EDGE = st.integers(0, 30)
BOXES = st.lists(
    st.tuples(EDGE, EDGE, st.integers(1, 20), st.integers(1, 20)).map(
        lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3])
    ),
    max_size=5,
)
SHARES = st.floats(0, 1)


def pixels(box: Box) -> set[tuple[int, int]]:
    return set(itertools.product(range(box[0], box[2]), range(box[1], box[3])))


@given(BOXES, BOXES)
def test_overlap_is_the_share_of_common_pixels(known: list[Box], boxes: list[Box]) -> None:
    overlaps = overlap_matrix(known, boxes)
    assert overlaps.shape == (len(known), len(boxes))
    for (row, a), (column, b) in itertools.product(enumerate(known), enumerate(boxes)):
        expected = len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))
        assert overlaps[row, column] == pytest.approx(expected)


@given(BOXES, BOXES, st.floats(0.05, 1))
def test_matches_are_one_to_one_and_of_the_largest_total_overlap(
    known: list[Box], boxes: list[Box], least: float
) -> None:
    overlaps = overlap_matrix(known, boxes)
    matches = match_boxes(known, boxes, least)
    assert len(set(matches.values())) == len(matches)
    assert all(overlaps[row, column] >= least for column, row in matches.items())
    total = sum(overlaps[row, column] for column, row in matches.items())
    allowed = np.where(overlaps >= least, overlaps, 0)
    short, long = sorted((range(len(known)), range(len(boxes))), key=len)
    is_wide = len(known) <= len(boxes)
    best = max(
        (
            sum(allowed[(a, b) if is_wide else (b, a)] for a, b in zip(short, chosen, strict=True))
            for chosen in itertools.permutations(long, len(short))
        ),
        default=0,
    )
    assert total == pytest.approx(best)


@given(st.lists(BOXES, max_size=6))
def test_a_frame_has_no_track_twice(frames: list[list[Box]]) -> None:
    tracker = Tracker()
    for number, boxes in enumerate(frames):
        tracks = tracker.update(number * 0.2, boxes)
        assert len(tracks) == len(boxes)
        assert len(set(tracks)) == len(tracks)


def test_two_faces_that_pass_each_other_keep_their_tracks() -> None:
    tracker = Tracker()
    for step in range(20):
        left, right = (step * 4, 0, step * 4 + 40, 40), (80 - step * 4, 30, 120 - step * 4, 70)
        order = [left, right] if step % 2 else [right, left]
        tracks = tracker.update(step * 0.1, order)
        assert dict(zip(order, tracks, strict=True)) == {right: 0, left: 1}


def test_a_face_may_be_hidden_for_a_while() -> None:
    box = (10, 10, 50, 50)
    tracker = Tracker(max_missing_s=1.0)
    assert tracker.update(0.0, [box]) == [0]
    assert tracker.update(0.5, []) == []
    assert tracker.update(1.0, [box]) == [0]
    assert tracker.update(2.5, [box]) == [1]


@given(st.lists(st.tuples(SHARES, st.floats(0.01, 2)), min_size=1, max_size=8), st.floats(0, 3))
def test_smoothing_stays_between_what_was_seen_and_sums_to_one(
    seen: list[tuple[float, float]], time_constant_s: float
) -> None:
    state = {"a": seen[0][0], "b": 1 - seen[0][0]}
    for share, elapsed_s in seen:
        state = smoothed(state, {"a": share, "b": 1 - share}, elapsed_s, time_constant_s)
        assert sum(state.values()) == pytest.approx(1)
        shares = [one for one, _ in seen]
        assert min(shares) - 1e-9 <= state["a"] <= max(shares) + 1e-9


@given(SHARES, SHARES, st.floats(0.01, 2), st.floats(0.01, 3))
def test_the_frame_rate_does_not_change_the_smoothing(
    before: float, new: float, elapsed_s: float, time_constant_s: float
) -> None:
    once = smoothed({"a": before}, {"a": new}, elapsed_s, time_constant_s)
    half = smoothed({"a": before}, {"a": new}, elapsed_s / 2, time_constant_s)
    twice = smoothed(half, {"a": new}, elapsed_s / 2, time_constant_s)
    assert once["a"] == pytest.approx(twice["a"], abs=1e-9)
    # The definition: what was seen a time constant ago weighs 1/e.
    assert once["a"] == pytest.approx(
        new + (before - new) * np.exp(-elapsed_s / time_constant_s), abs=1e-9
    )


def test_label_and_confidence_follow_the_smoothed_probabilities() -> None:
    smoother = Smoother(time_constant_s=10)
    happy = PredictedFace("happy", 0.9, {"happy": 0.9, "sad": 0.1})
    sad = PredictedFace("sad", 0.6, {"happy": 0.4, "sad": 0.6})
    assert smoother.update(0, 0.0, happy) == happy
    face = smoother.update(0, 0.1, sad)
    assert face.label == "happy"
    assert face.confidence == face.probabilities["happy"] < 0.9
    assert smoother.update(1, 0.1, sad) == sad
    assert Smoother(0).update(0, 0.0, sad) == sad
