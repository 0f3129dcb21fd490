"""Columns computed from pixels agree with plain numpy, image by image."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.validation.snapshots import valid_draft
from validation.tables import build_tables, image_columns


@settings(max_examples=30)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(0, 4), st.just(48), st.just(48))))
def test_statistics_match_numpy_for_each_image(images: np.ndarray) -> None:
    columns = image_columns(images, images)
    for row, image in enumerate(images):
        assert np.isclose(columns["mean"][row], image.astype(float).mean())
        assert np.isclose(columns["std"][row], image.astype(float).std(), atol=1e-5)
        assert columns["actual_sha256"][row] == hashlib.sha256(image.tobytes()).hexdigest()


def test_a_constant_image_has_zero_standard_deviation() -> None:
    constant = np.repeat(np.arange(256, dtype=np.uint8), 48 * 48).reshape(256, 48, 48)
    assert image_columns(constant, constant)["std"].max() < 1e-5


def test_copies_conflicts_and_leaks_are_marked() -> None:
    draft = valid_draft()
    train, test = draft.rows("train", 0)[0], draft.rows("test", 1)[0]
    draft.copy_pixels(train, test)
    draft.describe_pixels()
    kept = build_tables(draft.snapshot())["kept"]
    assert list(np.flatnonzero(kept["is_copy"])) == [test]
    assert list(np.flatnonzero(kept["conflicting_labels"])) == [train, test]
    assert kept["in_train"][test]
    assert kept["in_train"].sum() == (kept["split"] == "train").sum() + 1


def test_unlabelled_copies_are_no_label_conflict() -> None:
    draft = valid_draft()
    draft.copy_pixels(0, 1)
    draft.set("label", [1], -1)
    draft.describe_pixels()
    assert not build_tables(draft.snapshot())["kept"]["conflicting_labels"].any()
