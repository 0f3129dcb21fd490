"""`ferflow submit`: the file of predictions that a challenge asks for."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployments.cli.options import attempt, raise_all, store_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.prediction.predictor import open_predictor
from deployments.environment import set_quiet_defaults
from fer_models.classes.schemes import SCHEMES
from fer_models.errors import ConfigError, DataError, FerError
from fer_models.labels import CLASS_NAMES

if TYPE_CHECKING:
    from fer_models.inference.expression_model import ExpressionModel
    from fer_models.inference.submission.source_rows import SourceRows
    from fer_models.inference.submission.submission import Format, Submission

_FORMATS = ("kaggle", "labels", "probabilities")


@click.command(name="submit")
@click.option(
    "--data",
    "source",
    required=True,
    metavar="PATH",
    help="Table, archive or folder to predict, also s3://...",
)
@click.option(
    "--model",
    "model_name",
    default="champion",
    show_default=True,
    metavar="NAME",
    help="champion, the id of a stored model, bundled, bundled:NAME, or a bundle file.",
)
@click.option("--out", required=True, metavar="FILE.csv", help="The file to write.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    default="kaggle",
    show_default=True,
    help="kaggle: a class number a line. labels: id and class name. probabilities: id and one "
    "column for each class.",
)
@click.option(
    "--label-scheme",
    "scheme",
    type=click.Choice(list(SCHEMES)),
    help="Number the classes as this data set does.  [default: the model's class order]",
)
@click.option(
    "--id-column",
    default="",
    metavar="NAME",
    help="Column of the table with the ids.  [default: row numbers from 0, or paths of pictures]",
)
@store_option
@reporting
def command(
    source: str,
    model_name: str,
    out: str,
    file_format: "Format",
    scheme: str | None,
    id_column: str,
    store_url: str | None,
) -> Produced:
    """Predict every row of a data set, in its order, and write the file of a challenge.

    The file is complete or not written: a row without a readable image is an error that names the
    row. The default is the file of the Kaggle challenge on FER2013 ("Challenges in Representation
    Learning: Facial Expression Recognition Challenge"): a class number a line, without a header.

    \b
    ferflow submit --data test.csv --model champion --out submission.csv
    ferflow submit --data test.csv --format labels --id-column id --out labels.csv
    ferflow submit --data faces.zip --model bundled --format probabilities --out faces.csv
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    with progress_display():
        ready = _prepare(source, model_name, out, file_format, scheme or "", id_column, store_url)
        from fer_models.inference.submission.submission import (
            make_submission,
            predict_rows,
            write_submission,
        )

        probabilities = predict_rows(ready.rows, ready.model.predict)
        submission = make_submission(
            ready.rows, probabilities, ready.model.classes, file_format, ready.numbers
        )
        write_submission(submission, ready.target)
    _show(ready, submission, has_scheme=scheme is not None)
    return {
        "out": str(ready.target),
        "model": ready.model.name,
        "format": file_format,
        "rows": len(ready.rows),
        "counts": submission.counts,
        "numbers": dict(ready.numbers),
        "labels_ignored": ready.rows.has_labels,
    }


@dataclass(frozen=True)
class _Ready:
    """All that the prediction needs, checked."""

    target: Path
    model: "ExpressionModel"
    numbers: Mapping[str, int]
    rows: "SourceRows"


def _prepare(
    source: str,
    model_name: str,
    out: str,
    file_format: str,
    scheme: str,
    id_column: str,
    store_url: str | None,
) -> _Ready:
    """Check everything, and read the source unless something else is wrong already.

    Raises:
        FerError: all problems together.
    """
    from fer_models.inference.submission.source_rows import check_source, read_source_rows
    from fer_models.inference.submission.submission import class_numbers

    errors = _option_problems(file_format, scheme, id_column)
    target = attempt(lambda: _target(out, source), errors)
    model = attempt(lambda: open_predictor(model_name, store_url), errors)
    numbers: Mapping[str, int] | None = None
    if model is not None:
        classes = model.classes
        numbers = attempt(lambda: class_numbers(classes, scheme), errors)
    if errors:
        attempt(lambda: check_source(source), errors)
        raise_all(errors)
    assert target is not None
    assert model is not None
    assert numbers is not None
    rows = read_source_rows(source, model.image_format, id_column)
    return _Ready(target, model, numbers, rows)


def _option_problems(file_format: str, scheme: str, id_column: str) -> list[FerError]:
    problems: list[FerError] = []
    if file_format == "kaggle" and id_column:
        problems.append(
            ConfigError(
                f"--id-column {id_column}: the format kaggle has no ids; omit the option, or "
                "choose --format labels or probabilities"
            )
        )
    if file_format != "kaggle" and scheme:
        problems.append(
            ConfigError(
                f"--label-scheme {scheme}: the format {file_format} has names instead of numbers; "
                "omit the option, or choose --format kaggle"
            )
        )
    return problems


def _target(out: str, source: str) -> Path:
    """The file to write.

    Raises:
        DataError: it can't be written, or is the source itself.
    """
    from fer_models.inference.results.files import check_target

    target = check_target(Path(out))
    if target == Path(os.path.realpath(source)):
        raise DataError(f"--out {out}: this is the file of --data; choose another file")
    return target


def _show(ready: _Ready, submission: "Submission", has_scheme: bool) -> None:
    facts = {
        "model": ready.model.name,
        "rows": str(len(ready.rows)),
        "labels": ", ".join(f"{name} {count}" for name, count in submission.counts.items()),
    }
    if submission.format == "kaggle":
        facts["numbers"] = ", ".join(f"{n} {name}" for name, n in ready.numbers.items())
        if not has_scheme and tuple(ready.model.classes) != CLASS_NAMES:
            click.echo(
                "note: the model's classes are not FER2013's, and the numbers are its own; choose "
                "those of a data set with --label-scheme",
                err=True,
            )
    print_facts({**facts, "out": str(ready.target)})
    if ready.rows.has_labels:
        click.echo(
            "note: the labels of the data were ignored; `ferflow task evaluate` measures accuracy "
            "on the held-out splits of ingested data",
            err=True,
        )
