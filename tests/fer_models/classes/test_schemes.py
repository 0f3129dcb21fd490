"""Numbering schemes of published data sets."""

import pytest

from fer_models.classes.names import EMOTIONS
from fer_models.classes.schemes import (
    SCHEMES,
    fitting_schemes,
    number_of,
    scheme_advice,
    scheme_of,
)
from fer_models.labels import CLASS_NAMES

# From the data sets' documentation, written down a second time.
DOCUMENTED = {
    "fer2013": "0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral",
    "ferplus": "0 neutral 1 happy 2 surprise 3 sad 4 angry 5 disgust 6 fear 7 contempt",
    "rafdb": "1 surprise 2 fear 3 disgust 4 happy 5 sad 6 angry 7 neutral",
    "affectnet": "0 neutral 1 happy 2 sad 3 surprise 4 fear 5 disgust 6 angry 7 contempt",
    "ckplus": "0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral 7 contempt",
    "expw": "0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral",
}


@pytest.mark.parametrize("name", SCHEMES)
def test_schemes_are_those_of_their_data_sets(name: str) -> None:
    words = DOCUMENTED[name].split()
    expected = dict(zip(map(int, words[::2]), words[1::2], strict=True))
    found = {number: text for number, text in SCHEMES[name].names.items() if text}
    assert found == expected
    assert set(found.values()) <= set(EMOTIONS)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3", 3),
        ("3.0", 3),
        (" 6 ", 6),
        ("06", 6),
        ("-1", -1),
        ("3.5", None),
        ("", None),
        ("x", None),
    ],
)
def test_numbers_may_be_written_as_floats(text: str, number: int | None) -> None:
    assert number_of(text) == number


def test_all_schemes_that_know_the_numbers_fit() -> None:
    assert fitting_schemes([0, 6]) == ["fer2013", "ferplus", "affectnet", "ckplus", "expw"]
    assert fitting_schemes([1, 7]) == ["ferplus", "rafdb", "affectnet", "ckplus"]
    assert fitting_schemes([11]) == []


def test_the_advice_shows_the_order_of_every_scheme_that_fits() -> None:
    advice = scheme_advice([1, 7])
    assert "rafdb (7 classes: 1 surprise, 2 fear, 3 disgust" in advice
    assert "fer2013 (" not in advice
    assert "no known numbering" in scheme_advice([12])


def test_a_list_is_a_scheme_of_its_own() -> None:
    assert dict(scheme_of(("bored", "awake")).names) == {0: "bored", 1: "awake"}
    assert scheme_of("fer2013").names[3] == CLASS_NAMES[3]
