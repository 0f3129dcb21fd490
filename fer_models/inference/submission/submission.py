"""The file that a challenge asks for: one prediction for each row of a source, in its order.

N rows, K classes; probabilities are 0..1, and the K of a row sum to 1.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.schemes import SCHEMES
from fer_models.errors import ConfigError, FerError
from fer_models.evaluation.metrics import probability_problems
from fer_models.inference.expression_model import Predictor
from fer_models.inference.results.files import write_csv
from fer_models.inference.submission.source_rows import SourceRows
from fer_models.progress import report
from fer_models.training.inputs.data import Probabilities

Format = Literal["kaggle", "labels", "probabilities"]
FORMATS: tuple[str, ...] = get_args(Format)
LABEL = "label"
_BATCH = 1024
_MAX_SHOWN = 10
_TOLERANCE = 1e-6  # six decimals are written


@dataclass(frozen=True)
class Submission:
    """What a file has to contain: the N predicted classes and, by the format, more.

    `header` is empty for a file without one. `class_N` are positions in `classes`.
    """

    format: Format
    header: tuple[str, ...]
    table: pd.DataFrame
    classes: tuple[str, ...]
    class_N: npt.NDArray[np.int64]
    numbers: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows by predicted class, in class order."""
        counts = np.bincount(self.class_N, minlength=len(self.classes))
        return {name: int(count) for name, count in zip(self.classes, counts, strict=True)}


def class_numbers(classes: Sequence[str], scheme: str = "") -> dict[str, int]:
    """The number of each class: its position in the model's class list, or that of a data set.

    Example:
        class_numbers(["happy", "sad"], "fer2013")  # {"happy": 3, "sad": 4}

    Raises:
        ConfigError: the numbering lacks a class of the model.
    """
    if not scheme:
        return {name: number for number, name in enumerate(classes)}
    known = {name: number for number, name in SCHEMES[scheme].names.items() if name}
    if missing := [name for name in classes if name not in known]:
        raise ConfigError(
            f"--label-scheme {scheme}: the model predicts {', '.join(missing)}, and "
            f"{SCHEMES[scheme].title} numbers {', '.join(known)} only; choose another numbering "
            "or a model with these classes"
        )
    return {name: known[name] for name in classes}


def predict_rows(rows: SourceRows, predict: Predictor) -> Probabilities:
    """The probabilities N x K of all rows, a batch at a time.

    Raises:
        FerError: the model returned something else for a row.
    """
    parts, total = [], len(rows)
    for start in range(0, total, _BATCH):
        report("predict", start, total, "rows")
        parts.append(predict(rows.images[start : start + _BATCH]))
    probs_NK = np.concatenate(parts)
    report("predict", total, total, "rows")
    if problems := probability_problems(probs_NK, total, probs_NK.shape[-1]):
        raise FerError("the model did not predict every row; try another model", problems)
    return probs_NK


def make_submission(
    rows: SourceRows,
    probs_NK: Probabilities,
    classes: Sequence[str],
    file_format: Format,
    numbers: Mapping[str, int],
) -> Submission:
    """The content of the file.

    Args:
        rows: N rows.
        probs_NK: their probabilities.
        classes: the K names of the model.
        file_format: `kaggle`, a class number a line; `labels`, id and class name;
            `probabilities`, id and one column for each class.
        numbers: of the classes, for `kaggle`.

    Raises:
        ConfigError: a column of the file would have two meanings.
    """
    class_N = probs_NK.argmax(axis=1)
    names = np.array(classes, dtype=object)[class_N]
    if file_format == "kaggle":
        columns = {"number": np.array([numbers[name] for name in classes])[class_N]}
        return Submission("kaggle", (), pd.DataFrame(columns), tuple(classes), class_N, numbers)
    header = (rows.id_name, *((LABEL,) if file_format == "labels" else classes))
    if rows.id_name in header[1:]:
        raise ConfigError(
            f"--id-column {rows.id_name}: the file has a column of predictions with this name; "
            "choose another column, or rename it in the data"
        )
    predicted = {LABEL: names}
    if file_format == "probabilities":
        predicted = dict(zip(classes, probs_NK.T, strict=True))
    table = pd.DataFrame({rows.id_name: rows.ids, **predicted})
    return Submission(file_format, header, table, tuple(classes), class_N, numbers)


def write_submission(submission: Submission, path: Path) -> None:
    """Write the file atomically, after it was read again and found to be complete.

    Raises:
        FerError: it can't be written, or what was written is not what was predicted.
    """
    has_header = bool(submission.header)
    write_csv(
        submission.table, path, header=has_header, check=lambda file: _verify(file, submission)
    )


def _verify(file: Path, submission: Submission) -> None:
    with file.open(encoding="utf-8", newline="") as stream:
        records = list(csv.reader(stream))
    if problems := submission_problems(records, submission):
        raise FerError("the written file is not what was predicted; write it again", problems)


def submission_problems(records: Sequence[Sequence[str]], submission: Submission) -> list[str]:
    """How the records of a file differ from what it has to contain; empty if they don't.

    Args:
        records: all lines of the file as fields, with the header if the format has one.
        submission: what was predicted.
    """
    header, table = submission.header, submission.table
    if header and tuple(records[0] if records else ()) != header:
        got = ",".join(records[0]) if records else "an empty file"
        return [f"expected the header {','.join(header)}, got {got}"]
    body = records[1:] if header else records
    if len(body) != len(table):
        return [f"expected {len(table)} rows, got {len(body)}"]
    width = len(table.columns)
    return [
        f"row {row}: expected {','.join(map(str, wanted))}, got {','.join(found)}"
        for row, (found, wanted) in enumerate(zip(body, table.itertuples(index=False), strict=True))
        if len(found) != width or not all(map(_is_same, found, wanted))
    ][:_MAX_SHOWN]


def _is_same(found: str, wanted: object) -> bool:
    if not isinstance(wanted, float | np.floating):
        return found == str(wanted)
    try:
        return abs(float(found) - float(wanted)) <= _TOLERANCE
    except ValueError:
        return False
