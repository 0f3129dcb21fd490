"""Class lists: numbers, names, votes and identity."""

import pytest

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.errors import DataError
from fer_models.labels import VOTE_TO_EXPRESSION, FerPlusVote

OWN = ClassList.named(["happy", "sad", "bored", "very bored"])
FERPLUS = ClassList.named([*FER2013_CLASSES.names, "contempt"])


def test_a_class_is_found_by_its_name_or_another_name_of_its_emotion() -> None:
    assert [OWN.number(text) for text in ("Happy", "joy", "SADNESS", "very bored")] == [0, 0, 1, 3]
    with pytest.raises(
        DataError, match="expected one of happy, sad, bored, very bored, got 'bord'"
    ):
        OWN.number("bord")
    with pytest.raises(DataError, match="got 'angry'"):
        OWN.number("angry")


def test_votes_belong_to_the_class_of_their_emotion() -> None:
    expected = [int(VOTE_TO_EXPRESSION.get(vote, -1)) for vote in FerPlusVote]
    assert FER2013_CLASSES.vote_classes().tolist() == expected
    assert FERPLUS.vote_classes()[FerPlusVote.CONTEMPT] == 7
    assert OWN.vote_classes().tolist() == [-1, 0, -1, 1, -1, -1, -1, -1, -1, -1]


def test_votes_of_merged_emotions_belong_to_the_merged_class() -> None:
    merged = ClassList(
        ("positive", "sad"), {"happy": "positive", "surprise": "positive", "sad": "sad"}
    )
    votes = merged.vote_classes()
    assert votes[FerPlusVote.HAPPINESS] == votes[FerPlusVote.SURPRISE] == 0
    assert merged.number("joy") == 0


def test_a_list_survives_its_metadata() -> None:
    for classes in (OWN, FERPLUS, FER2013_CLASSES):
        assert ClassList.from_info({"classes": classes.info()}) == classes
    assert ClassList.from_info({}) == FER2013_CLASSES


def test_the_key_identifies_names_and_order() -> None:
    assert FER2013_CLASSES.key == ""
    keys = {OWN.key, FERPLUS.key, ClassList.named(OWN.names[::-1]).key}
    assert len(keys) == 3
    assert ClassList.named(list(OWN.names)).key == OWN.key


def test_different_classes_are_an_error_that_names_both() -> None:
    OWN.require_same(OWN, "the model", "the data")
    with pytest.raises(DataError, match="the model has happy, sad") as caught:
        OWN.require_same(FERPLUS, "the model", "the data")
    assert "the data has angry" in caught.value.message
    assert "data.classes" in caught.value.message
