"""`ferflow predict PATH...`: from pictures to a table, files and annotated copies."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import click

from deployments.cli.options import attempt, raise_all
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.prediction.outputs import output_problems
from deployments.cli.prediction.predictor import face_settings, open_named
from fer_models.errors import FerError
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.pictures.find import find_pictures
from fer_models.inference.predict_found import Sink, Summary, predict_found, skipped_lines
from fer_models.inference.results.annotate import annotation_folder, check_annotation_folder
from fer_models.inference.results.files import check_target
from fer_models.inference.results.writer import FileFormat, file_format, predictions_file
from fer_models.user_input import printable

_MAX_ROWS = 20
_VIDEO_HINT = "`ferflow predict --video FILE` reads it"


class _Outputs(NamedTuple):
    """Where results go, checked; None: nowhere."""

    file: Path | None
    form: FileFormat | None
    folder: Path | None


def predict_pictures(paths: Sequence[str], options: Mapping[str, Any]) -> Produced:
    """Predict pictures and show or write the results.

    Raises:
        FerError: all problems of the input together.
    """
    errors: list[FerError] = []
    found = attempt(lambda: find_pictures(paths, _VIDEO_HINT), errors)
    outputs = _check_outputs(options, errors)
    sources = found.sources if found else ()
    read = [one if isinstance(one, str) else one.path for one in sources]
    errors += output_problems(outputs.file, outputs.folder, read)
    model = attempt(lambda: open_named(options), errors)
    raise_all(errors)
    assert found is not None
    assert model is not None
    with ExitStack() as stack:
        stack.enter_context(progress_display())
        sinks = _open_sinks(outputs, model, stack)
        summary = predict_found(found, model, options["faces"], sinks, face_settings(options))
    _show(summary, outputs)
    return {
        "out": str(outputs.file) if outputs.file else None,
        "annotated": str(outputs.folder) if outputs.folder else None,
        "model": model.name,
        "faces": options["faces"],
        "pictures": summary.num_pictures,
        "num_faces": summary.num_faces,
        "counts": summary.counts,
        "skipped": [{"path": one.path, "reason": one.reason} for one in summary.skipped],
    }


def _check_outputs(options: Mapping[str, Any], errors: list[FerError]) -> _Outputs:
    """Where results go; problems are added to `errors`."""
    out, wanted, annotate = options["out"], options["file_format"], options["annotate"]
    file = form = folder = None
    if out is not None:
        file = attempt(lambda: check_target(Path(out)), errors)
        form = attempt(lambda: file_format(Path(out), wanted), errors) if file else None
    if annotate is not None:
        folder = attempt(lambda: check_annotation_folder(Path(annotate)), errors)
    return _Outputs(file, form, folder)


def _open_sinks(outputs: _Outputs, model: ExpressionModel, stack: ExitStack) -> list[Sink]:
    sinks: list[Sink] = []
    if outputs.file is not None and outputs.form is not None:
        writing = predictions_file(outputs.file, model.classes, outputs.form)
        sinks.append(stack.enter_context(writing))
    if outputs.folder is not None:
        sinks.append(stack.enter_context(annotation_folder(outputs.folder)))
    return sinks


def _show(summary: Summary, outputs: _Outputs) -> None:
    if summary.skipped:
        total = summary.num_pictures + len(summary.skipped)
        click.echo(f"skipped {len(summary.skipped)} of {total}:", err=True)
        for line in skipped_lines(summary.skipped):
            click.echo(f"  - {line}", err=True)
    facts: dict[str, str] = {}
    if outputs.file is None:
        _show_faces(summary)
    else:
        counts = ", ".join(f"{name} {count}" for name, count in summary.counts.items())
        numbers = {"pictures": str(summary.num_pictures), "faces": str(summary.num_faces)}
        facts |= {**numbers, "labels": counts, "out": str(outputs.file)}
    if outputs.folder is not None:
        facts["annotated"] = str(outputs.folder)
    if facts:
        print_facts(facts)


def _show_faces(summary: Summary) -> None:
    rows = [(picture.path, face) for picture in summary.first for face in picture][:_MAX_ROWS]
    width = max([8, *(len(printable(face.label)) for _, face in rows)])
    # The path is last because it may have any length.
    click.echo(f"{'label':<{width}}  confidence  picture")
    for path, face in rows:
        where = "" if face.box is None else f"  [{', '.join(map(str, face.box))}]"
        label = printable(face.label)
        click.echo(f"{label:<{width}}  {face.confidence:>10.4f}  {printable(path)}{where}")
    if summary.num_faces > len(rows):
        more = summary.num_faces - len(rows)
        click.echo(f"... and {more} more; use --out FILE.csv for all of them")
