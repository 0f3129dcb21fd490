"""`ferflow predict`: predict facial expressions in pictures and videos."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from deployments.cli.options import store_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.prediction.predictor import (
    BUNDLED,
    attempt,
    candidate_of,
    open_predictor,
    raise_all,
)
from deployments.environment import set_quiet_defaults
from fer_models.errors import FerError

if TYPE_CHECKING:
    from fer_models.faces.found import FacesMode
    from fer_models.inference.expression_model import ExpressionModel
    from fer_models.inference.pictures.find import FoundPictures
    from fer_models.inference.predict_found import Summary
    from fer_models.inference.results.writer import FileFormat

_MAX_ROWS = 20
_VIDEO_HINT = "ferflow predict --video FILE reads it"


@click.command(name="predict")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--model",
    "model_name",
    default=BUNDLED,
    show_default=True,
    metavar="NAME",
    help="bundled, bundled:NAME, a bundle file, champion, or the id of a stored model.",
)
@click.option("--run", "run_text", metavar="RUN", help="Use the candidate of this run instead.")
@click.option(
    "--faces",
    type=click.Choice(["auto", "crop", "detect"]),
    default="auto",
    show_default=True,
    help="crop: each picture shows one face, cropped as in FER2013. detect: search for faces. "
    "auto: decide for each picture.",
)
@click.option("--out", metavar="FILE", help="Write all predictions: .csv, .json, .jsonl, .parquet.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["csv", "json", "jsonl", "parquet"]),
    help="Format of --out.  [default: by its ending]",
)
@click.option(
    "--annotate",
    metavar="FOLDER",
    help="Draw boxes and probabilities into copies of the pictures, in a new or empty folder.",
)
@store_option
@reporting
def command(
    paths: tuple[str, ...],
    model_name: str,
    run_text: str | None,
    faces: "FacesMode",
    out: str | None,
    file_format: str | None,
    annotate: str | None,
    store_url: str | None,
) -> Produced:
    """Predict the facial expressions in all pictures of PATH...

    PATH is a picture, a folder, a pattern ('*.jpg'), a zip or tar archive, or - for a picture on
    standard input. Pictures that can't be read or show no face are reported. A path that does not
    exist is an error; nothing is written then.

    \b
    ferflow predict photo.jpg
    ferflow predict faces/ more.zip --out expressions.csv
    ferflow predict 'holiday/*.jpg' --annotate annotated/
    ferflow predict faces/ --model champion --store s3://bucket/prefix --out expressions.parquet
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    errors: list[FerError] = []
    found = attempt(lambda: _find(paths), errors)
    outputs = _check_outputs(out, file_format, annotate, errors)
    model = attempt(
        lambda: open_predictor(candidate_of(run_text, model_name, store_url), store_url), errors
    )
    raise_all(errors)
    assert found is not None
    assert model is not None
    summary = _predict(found, model, faces, outputs)
    _show(summary, outputs)
    return {
        "out": str(outputs.file) if outputs.file else None,
        "annotated": str(outputs.folder) if outputs.folder else None,
        "model": model.name,
        "faces": faces,
        "pictures": summary.num_pictures,
        "num_faces": summary.num_faces,
        "counts": summary.counts,
        "skipped": [{"path": one.path, "reason": one.reason} for one in summary.skipped],
    }


class _Outputs(NamedTuple):
    """Where results go, checked; None: nowhere."""

    file: Path | None
    form: "FileFormat | None"
    folder: Path | None


def _find(paths: tuple[str, ...]) -> "FoundPictures":
    from fer_models.inference.pictures.find import find_pictures

    return find_pictures(paths, _VIDEO_HINT)


def _check_outputs(
    out: str | None, wanted: str | None, annotate: str | None, errors: list[FerError]
) -> _Outputs:
    """Where results go; problems are added to `errors`."""
    from fer_models.inference.results.annotate import check_annotation_folder
    from fer_models.inference.results.files import check_target
    from fer_models.inference.results.writer import file_format

    file = form = folder = None
    if out is not None:
        file = attempt(lambda: check_target(Path(out)), errors)
        form = attempt(lambda: file_format(Path(out), wanted), errors) if file else None
    if annotate is not None:
        folder = attempt(lambda: check_annotation_folder(Path(annotate)), errors)
    return _Outputs(file, form, folder)


def _predict(
    found: "FoundPictures", model: "ExpressionModel", faces: "FacesMode", outputs: _Outputs
) -> "Summary":
    from fer_models.inference.predict_found import Sink, predict_found
    from fer_models.inference.results.annotate import annotation_folder
    from fer_models.inference.results.writer import predictions_file

    with ExitStack() as stack:
        stack.enter_context(progress_display())
        sinks: list[Sink] = []
        if outputs.file is not None and outputs.form is not None:
            writing = predictions_file(outputs.file, model.classes, outputs.form)
            sinks.append(stack.enter_context(writing))
        if outputs.folder is not None:
            sinks.append(stack.enter_context(annotation_folder(outputs.folder)))
        return predict_found(found, model, faces, sinks)


def _show(summary: "Summary", outputs: _Outputs) -> None:
    from fer_models.inference.predict_found import skipped_lines

    if summary.skipped:
        total = summary.num_pictures + len(summary.skipped)
        click.echo(f"skipped {len(summary.skipped)} of {total}:", err=True)
        for line in skipped_lines(summary.skipped):
            click.echo(f"  - {line}", err=True)
    if outputs.file is None:
        _show_faces(summary)
    facts: dict[str, str] = {}
    if outputs.file is not None:
        counts = ", ".join(f"{name} {count}" for name, count in summary.counts.items())
        numbers = {"pictures": str(summary.num_pictures), "faces": str(summary.num_faces)}
        facts |= {**numbers, "labels": counts, "out": str(outputs.file)}
    if outputs.folder is not None:
        facts["annotated"] = str(outputs.folder)
    if facts:
        print_facts(facts)


def _show_faces(summary: "Summary") -> None:
    from fer_models.user_input import printable

    # The path is last because it may have any length.
    click.echo(f"{'label':<8}  confidence  picture")
    rows = [(picture.path, face) for picture in summary.first for face in picture]
    for path, face in rows[:_MAX_ROWS]:
        where = "" if face.box is None else f"  {','.join(map(str, face.box))}"
        click.echo(f"{face.label:<8}  {face.confidence:>10.4f}  {printable(path)}{where}")
    if summary.num_faces > _MAX_ROWS:
        more = summary.num_faces - _MAX_ROWS
        click.echo(f"... and {more} more; use --out FILE.csv for all of them")
