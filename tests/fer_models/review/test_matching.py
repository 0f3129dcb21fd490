"""Each decision matches its image or is reported; test images can't be changed."""

import pandas as pd
import pytest

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.errors import DataError
from fer_models.review.matching import (
    DUPLICATE,
    MANY_IMAGES,
    NO_IMAGE,
    OTHER_PIXELS,
    TEST_PIXELS,
    MatchedDecisions,
    match_decisions,
)
from tests.fer_models.review.test_decisions import table

SHAS = {name: name * 64 for name in "0123456789"}


def matched(images: pd.DataFrame, decisions: pd.DataFrame) -> MatchedDecisions:
    return match_decisions(images, decisions, FER2013_CLASSES)


def manifest(*images: str) -> pd.DataFrame:
    """One image per argument: `id pixels split label`."""
    rows = [image.split() for image in images]
    return pd.DataFrame(
        {
            "image_id": [row[0] for row in rows],
            "pixel_sha256": [SHAS[row[1]] for row in rows],
            "split": [row[2].replace("-", "") for row in rows],
            "label": [int(row[3]) for row in rows],
        }
    )


IMAGES = manifest(
    "a 1 train 0", "b 2 validation 3", "c 3 train 4", "d 3 train 4", "t 4 test 1", "u 5 - 2"
)


def test_ids_match_if_the_pixels_agree_or_are_missing() -> None:
    found = matched(
        IMAGES, table(f"u,{SHAS['5']},drop,,", "b,,relabel,sad,", f"a,{SHAS['1']},keep,,")
    )
    assert found.positions.tolist() == [0, 1, 5]
    assert found.actions.tolist() == ["keep", "relabel", "drop"]
    assert found.labels.tolist() == [-1, 4, -1]
    assert found.unmatched.empty


def test_a_renamed_image_is_found_by_its_pixels() -> None:
    found = matched(IMAGES, table(f"other/1,{SHAS['2']},drop,,", f"a,{SHAS['5']},drop,,"))
    assert found.positions.tolist() == [1, 5]


def test_unmatched_decisions_are_reported_with_the_reason() -> None:
    found = matched(
        IMAGES,
        table(
            "nobody,,drop,,",
            f"a,{SHAS['9']},drop,,",
            f"x,{SHAS['3']},drop,,",
            f"y,{SHAS['4']},keep,,",
            f"z,{SHAS['2']},drop,,",
            "b,,keep,,",
        ),
    )
    assert found.positions.tolist() == [1]
    assert found.actions.tolist() == ["keep"]
    assert dict(zip(found.unmatched["image_id"], found.unmatched["why"], strict=True)) == {
        "nobody": NO_IMAGE,
        "a": OTHER_PIXELS,
        "x": MANY_IMAGES,
        "y": TEST_PIXELS,
        "z": DUPLICATE,
    }


def test_the_id_selects_among_equal_images() -> None:
    found = matched(IMAGES, table(f"d,{SHAS['3']},drop,,"))
    assert found.positions.tolist() == [3]


def test_decisions_about_test_images_are_rejected_and_listed() -> None:
    with pytest.raises(DataError, match="got 1 about test images; remove them") as caught:
        matched(IMAGES, table("a,,keep,,", f"t,{SHAS['4']},drop,,"))
    assert caught.value.problems == ("t",)


def test_relabelling_to_the_same_label_counts_as_keeping() -> None:
    found = matched(IMAGES, table("a,,relabel,angry,"))
    assert (found.actions.tolist(), found.labels.tolist()) == (["keep"], [-1])


def test_no_decisions_match_nothing() -> None:
    found = matched(IMAGES, table("a,,reset,,"))
    assert found.positions.tolist() == []
    assert found.unmatched.empty
