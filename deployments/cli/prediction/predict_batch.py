"""`ferflow predict-batch`: predict the new pictures of folders and buckets, without a server."""

import json
from collections.abc import Mapping
from typing import Any, get_args

import click

from deployments.cli.options import (
    DATA_AS_ARGUMENTS,
    min_face_option,
    picture_options,
    refuse,
    request_from,
    without_effect,
)
from deployments.cli.output import Produced, print_facts, print_table, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.cli.prediction.predictor import search_problems
from deployments.environment import set_quiet_defaults
from fer_models.faces.found import FacesMode
from fer_models.storage.store import ArtifactStore
from flows.request import absolute_path


@click.command(name="predict-batch")
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--model",
    metavar="NAME",
    help="champion, the id of a stored model, bundled, or bundled:NAME.  [default: champion]",
)
@click.option(
    "--faces",
    type=click.Choice(get_args(FacesMode)),
    help="crop: each picture is one face, cut out; detect: search for faces; auto: decide for each "
    "picture.  [default: auto]",
)
@min_face_option
@click.option("--redo", is_flag=True, help="Predict again what only other models have predicted.")
@picture_options
@reporting
def command(
    paths: tuple[str, ...],
    model: str | None,
    faces: str | None,
    min_face_px: int | None,
    redo: bool,
    **options: Any,
) -> Produced:
    """Predict the pictures of PATH... that the store has no predictions of.

    PATH is a picture or a folder of pictures, also in a bucket (s3://...). Without PATH, the
    recipe's prediction.pictures are read. The predictions go to the store as parquet, in batches;
    a command that was stopped goes on with the pictures that are left. `ferflow drift
    predictions:7d` compares the faces of the last week with the champion's training data.

    \b
    ferflow predict-batch /data/incoming
    ferflow predict-batch s3://bucket/incoming --store s3://bucket/fer --json
    """  # noqa: D301 - click's marker for a paragraph that keeps its line breaks
    set_quiet_defaults()
    refuse(
        [
            *without_effect(["sources"], DATA_AS_ARGUMENTS),
            *without_effect(["seed"], "nothing is random in a prediction; omit it"),
            *search_problems(faces),
        ]
    )
    given = {"model": model, "faces": faces, "min_face_px": min_face_px, "redo": redo or None}
    options["assignments"] = (*options["assignments"], *_assignments(paths, given))
    config = request_from(options).resolve("--set")
    from fer_models.batch.predict import predict_batches

    with progress_display():
        outcome = predict_batches(ArtifactStore(config.store), config.prediction)
    if outcome.batches:
        rows = [[label, str(count)] for label, count in outcome.counts.items()]
        print_table("Predictions", ["label", "faces"], rows)
    pictures = f"{outcome.predicted} new of {outcome.found}"
    facts = {"model": outcome.model, "pictures": pictures if outcome.found else "none found"}
    if outcome.without_face:
        facts["no face"] = f"{outcome.without_face} pictures; the page says why"
    facts |= {f"batch {n}": batch.report_url for n, batch in enumerate(outcome.batches, start=1)}
    print_facts(facts)
    return {
        **outcome.model_dump(mode="json", exclude={"batches"}),
        "predicted": outcome.predicted,
        "batches": [batch.id for batch in outcome.batches],
        "tables": [f"{batch.url}/predictions.parquet" for batch in outcome.batches],
        "reports": [batch.report_url for batch in outcome.batches],
    }


def _assignments(paths: tuple[str, ...], given: Mapping[str, Any]) -> list[str]:
    """The arguments as settings; None: not given."""
    pictures = [absolute_path(path) if path else path for path in paths] or None
    values = {"pictures": pictures, **given}
    return [
        f"prediction.{name}={json.dumps(value)}"
        for name, value in values.items()
        if value is not None
    ]
