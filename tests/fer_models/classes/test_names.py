"""What people write, and the class that it means."""

import pytest

from fer_models.classes.names import EMOTIONS, class_name, class_order, emotion_of, name_problem


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Anger", "angry"),
        ("ANGRY", "angry"),
        (" happiness ", "happy"),
        ("joy", "happy"),
        ("neutrality", "neutral"),
        ("Suprise", "surprise"),
        ("surprize", "surprise"),
        ("0_angry", "angry"),
        ("6 Anger", "angry"),
        ("06_anger", "angry"),
        ("1-happy", "happy"),
        ("3 - Happy", "happy"),
        ("Very_Bored", "very bored"),
        ("24h", "24h"),
        ("Zufriedenheit", "zufriedenheit"),
        ("cafe\u0301", "caf\u00e9"),
    ],
)
def test_spellings_of_a_class(text: str, name: str) -> None:
    assert class_name(text) == name
    assert class_name(name) == name


def test_a_number_in_front_decides_nothing() -> None:
    assert class_name("0_happy") == class_name("6_happy") == "happy"


def test_a_number_elsewhere_is_a_part_of_the_name() -> None:
    assert class_name("grade_1_pain") == "grade 1 pain"
    assert class_name("grade_2_pain") == "grade 2 pain"
    assert class_name("au 12-left") == "au 12-left"


def test_no_emotion_has_two_meanings() -> None:
    assert [emotion_of(name) for name in EMOTIONS] == list(EMOTIONS)
    assert emotion_of("bored") == ""


@pytest.mark.parametrize(
    "text", ["", "nan", "-", "12", "...", "=cmd|' /C calc'!A0", "a/b", "x" * 61]
)
def test_texts_that_are_no_names(text: str) -> None:
    assert name_problem(text)


@pytest.mark.parametrize("text", ["bored", "very bored", "24h", "zufrieden", "\u6012\u308a", "a-b"])
def test_names_of_any_language(text: str) -> None:
    assert not name_problem(text)


def test_the_order_is_that_of_fer2013_then_contempt_then_by_name() -> None:
    names = ["tired", "contempt", "neutral", "angry", "bored"]
    assert sorted(names, key=class_order) == ["angry", "neutral", "contempt", "bored", "tired"]
