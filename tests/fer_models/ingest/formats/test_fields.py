"""Labels, splits, votes and row ids: the limits of what is valid, and the messages."""

import pytest

from fer_models.ingest.formats.fields import (
    ParsedFields,
    RowIds,
    parse_fields,
    parse_usage,
    parse_votes,
    reason_of,
    votes_problem,
)
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader
from fer_models.labels import UNLABELLED

VOTES = [b"1"] * 10


def parsed_fields(values: dict[str, bytes]) -> ParsedFields:
    return parse_fields(values, LabelReader(DEFAULT_LABELS, proven="fer2013"))


@pytest.mark.parametrize(("text", "label"), [(b"0", 0), (b"6", 6), (b"6.0", 6), (b"Anger", 0)])
def test_numbers_and_names_are_labels(text: bytes, label: int) -> None:
    parsed = parsed_fields({"emotion": text})
    assert (parsed.label, parsed.problems) == (label, {})


@pytest.mark.parametrize("text", [b"8", b"-2", b"6.5", b"", b"six", b"=cmd|", b"\xff"])
def test_other_labels_are_problems(text: bytes) -> None:
    parsed = parsed_fields({"emotion": text})
    assert parsed.label == -1
    assert list(parsed.problems) == ["emotion"]
    assert "expected an emotion 0..6 (0 angry, 1 disgust" in parsed.problems["emotion"]


@pytest.mark.parametrize("text", [b"-1", b"-1.0", b" -1"])
def test_minus_one_is_no_label(text: bytes) -> None:
    parsed = parsed_fields({"emotion": text})
    assert (parsed.label, parsed.problems) == (UNLABELLED, {})


@pytest.mark.parametrize(
    ("text", "split"),
    [
        (b"Training", "train"),
        (b"PublicTest", "validation"),
        (b"PrivateTest", "test"),
        (b"training", "train"),
        (b"TRAIN", "train"),
        (b"Public Test", "validation"),
        (b"val_set", "validation"),
        (b"Test", "test"),
        (b"3", ""),
        (b"Public", ""),
        (b"", ""),
    ],
)
def test_usage_values_have_any_common_spelling(text: bytes, split: str) -> None:
    assert parse_usage(text) == split
    parsed = parsed_fields({"usage": text})
    assert parsed.split == split
    assert ("usage" in parsed.problems) == (not split)


def test_columns_that_are_absent_are_no_problem() -> None:
    parsed = parsed_fields({"pixels": b"1 2"})
    assert (parsed.label, parsed.split, parsed.problems) == (-1, "", {})


@pytest.mark.parametrize(
    ("count", "is_valid"),
    [(b"0", True), (b"10", True), (b"11", False), (b"-1", False), (b"", False), (b"01", False)],
)
@pytest.mark.parametrize("position", [0, 9])
def test_votes_are_counts_of_ten_taggers(count: bytes, is_valid: bool, position: int) -> None:
    texts = [*VOTES[:position], count, *VOTES[position + 1 :]]
    votes = parse_votes(texts)
    assert (votes is not None) == is_valid
    if votes is not None:
        assert votes[position] == int(count)


def test_long_values_are_shortened_in_messages() -> None:
    assert parsed_fields({"emotion": b"#" * 31}).problems["emotion"].count("#") == 30
    assert votes_problem([b"#" * 61]).count("#") == 60


def test_the_first_problem_gives_the_reason() -> None:
    assert reason_of([]) == ""
    assert reason_of(["usage", "emotion"]) == "bad_split"
    assert [reason_of([column]) for column in ("id", "emotion", "votes")] == [
        "bad_id",
        "bad_label",
        "bad_votes",
    ]


def test_row_ids_are_unique_and_present() -> None:
    ids = RowIds()
    assert ids.problem(b"a", 0) == ids.problem(b"b", 1) == ids.problem(b"a", 0) == ""
    assert "row id 'a' is also the id of row 0" in ids.problem(b"a", 2)
    for missing in (b"", b"None", b"nan"):
        assert "expected a row id, got none" in ids.problem(missing, 3)
