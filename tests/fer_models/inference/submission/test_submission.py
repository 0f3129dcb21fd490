"""The content of a challenge's file, and its check before it gets its name."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.dataset.image_format import THUMBNAIL
from fer_models.errors import ConfigError, FerError
from fer_models.inference.submission import submission as module
from fer_models.inference.submission.source_rows import SourceRows
from fer_models.inference.submission.submission import (
    Format,
    Submission,
    class_numbers,
    make_submission,
    predict_rows,
    submission_problems,
    write_submission,
)

CLASSES = ("happy", "sad", "bored")
PROBABILITIES = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]], dtype=np.float32)


def _rows(ids: tuple[str, ...] = ("a", "b"), id_name: str = "id") -> SourceRows:
    images = np.zeros((len(ids), *THUMBNAIL.shape), dtype=np.uint8)
    return SourceRows("test.csv", ids, id_name, images, has_labels=False)


def _submission(file_format: Format) -> Submission:
    numbers = class_numbers(CLASSES)
    return make_submission(_rows(), PROBABILITIES, CLASSES, file_format, numbers)


GOOD = [["id", "label"], ["a", "sad"], ["b", "bored"]]


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        (GOOD[1:], "expected the header id,label, got a,sad"),
        ([], "an empty file"),
        (GOOD[:2], "expected 2 rows, got 1"),
        ([*GOOD, ["c", "sad"]], "expected 2 rows, got 3"),
        ([GOOD[0], GOOD[2], GOOD[1]], "row 0: expected a,sad, got b,bored"),
        ([*GOOD[:2], ["b", "happy"]], "row 1: expected b,bored, got b,happy"),
        ([*GOOD[:2], ["b"]], "row 1"),
    ],
)
def test_any_difference_is_a_problem(records: list[list[str]], problem: str) -> None:
    assert submission_problems(GOOD, _submission("labels")) == []
    assert any(problem in line for line in submission_problems(records, _submission("labels")))


def test_probabilities_are_compared_as_numbers() -> None:
    good = [["id", *CLASSES], ["a", "0.2", "0.5", "0.3"], ["b", "0.1", "0.1", "0.8"]]
    assert submission_problems(good, _submission("probabilities")) == []
    for wrong in ("0.301", "", "x"):
        bad = [good[0], ["a", "0.2", "0.5", wrong], good[2]]
        assert len(submission_problems(bad, _submission("probabilities"))) == 1


def test_a_file_that_is_not_what_was_predicted_never_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old")
    monkeypatch.setattr(module, "submission_problems", lambda *_: ["row 1: wrong"])
    with pytest.raises(FerError, match="not what was predicted"):
        write_submission(_submission("kaggle"), out)
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_classes_without_a_number_are_refused() -> None:
    assert class_numbers(CLASSES) == {"happy": 0, "sad": 1, "bored": 2}
    assert class_numbers(CLASSES[:2], "fer2013") == {"happy": 3, "sad": 4}
    with pytest.raises(ConfigError, match="bored"):
        class_numbers(CLASSES, "fer2013")


def test_a_model_that_does_not_predict_every_row_is_an_error() -> None:
    with pytest.raises(FerError, match="did not predict every row"):
        predict_rows(_rows(), lambda images: PROBABILITIES[: len(images) - 1])
    with pytest.raises(FerError, match="did not predict every row"):
        predict_rows(_rows(), lambda _: np.full_like(PROBABILITIES, np.nan))


def test_a_column_of_ids_named_like_a_class_is_refused() -> None:
    rows = _rows(id_name="happy")
    with pytest.raises(ConfigError, match="another column"):
        make_submission(rows, PROBABILITIES, CLASSES, "probabilities", class_numbers(CLASSES))
