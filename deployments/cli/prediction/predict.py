"""`ferflow predict`: predict facial expressions in pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

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
    from fer_models.inference.predict_faces import FacePredictions

_MAX_ROWS = 20


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
    type=click.Choice(["crop"]),
    default="crop",
    show_default=True,
    help="crop: each picture shows one face, cropped as in FER2013.",
)
@click.option("--out", metavar="FILE.csv", help="Write all predictions to this file.")
@store_option
@reporting
def command(
    paths: tuple[str, ...],
    model_name: str,
    run_text: str | None,
    faces: str,
    out: str | None,
    store_url: str | None,
) -> Produced:
    """Predict the facial expression in every picture of PATH... (files and folders).

    Pictures that can't be read are skipped and reported. A path that does not exist is an error;
    nothing is written then.

    \b
    ferflow predict face.png
    ferflow predict faces/ --out expressions.csv
    ferflow predict faces/ --model champion --store s3://bucket/prefix --out expressions.csv
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    from fer_models.inference.faces import find_pictures
    from fer_models.inference.predict_faces import predict_faces
    from fer_models.inference.predictions_file import check_target, write_predictions

    errors: list[FerError] = []
    pictures = attempt(lambda: find_pictures(paths), errors)
    target = attempt(lambda: check_target(Path(out)), errors) if out is not None else None
    model = attempt(
        lambda: open_predictor(candidate_of(run_text, model_name, store_url), store_url), errors
    )
    raise_all(errors)
    assert pictures is not None
    assert model is not None
    with progress_display():
        predictions = predict_faces(
            pictures, model.predict, model.classes, image_format=model.image_format
        )
    if target is not None:
        write_predictions(predictions.table, target)
    _show(predictions, target)
    return {
        "out": str(target) if target else None,
        "model": model.name,
        "faces": faces,
        "pictures": len(predictions.table),
        "counts": predictions.counts,
        "skipped": [{"path": one.path, "reason": one.reason} for one in predictions.skipped],
    }


def _show(predictions: "FacePredictions", target: Path | None) -> None:
    from fer_models.inference.faces import printable
    from fer_models.inference.predict_faces import skipped_lines

    table, skipped = predictions.table, predictions.skipped
    if skipped:
        click.echo(f"skipped {len(skipped)} of {len(table) + len(skipped)}:", err=True)
        for line in skipped_lines(skipped):
            click.echo(f"  - {line}", err=True)
    if target is not None:
        counts = ", ".join(f"{name} {count}" for name, count in predictions.counts.items())
        print_facts({"pictures": str(len(table)), "labels": counts, "out": str(target)})
        return
    # The path is last because it may have any length.
    click.echo(f"{'label':<8}  confidence  picture")
    shown = table.head(_MAX_ROWS)
    rows = zip(shown["path"], shown["label"], shown["confidence"], strict=True)
    for path, label, confidence in rows:
        click.echo(f"{label:<8}  {confidence:>10.4f}  {printable(path)}")
    if len(table) > _MAX_ROWS:
        click.echo(f"... and {len(table) - _MAX_ROWS} more; use --out FILE.csv for all of them")
