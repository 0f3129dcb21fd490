"""`ferflow predict`: predict facial expressions in pictures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from deployments.cli.latest import find_model
from deployments.cli.options import open_store, store_option
from deployments.cli.output import Produced, print_facts, progress_display
from deployments.cli.output import reporting_command as reporting
from deployments.environment import set_quiet_defaults
from fer_models.errors import ConfigError, DataError, FerError, StoreError
from fer_models.storage.champions import is_champion_alias, named_champion
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.inference.predict_faces import FacePredictions, Predictor

T = TypeVar("T")
_BUNDLED = "bundled"
_MAX_ROWS = 20


@click.command(name="predict")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--model",
    "model_name",
    default=_BUNDLED,
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
    from fer_models.dataset.image_format import recorded_format
    from fer_models.inference.faces import find_pictures
    from fer_models.inference.predict_faces import predict_faces
    from fer_models.inference.predictions_file import check_target, write_predictions

    errors: list[FerError] = []
    pictures = _attempt(lambda: find_pictures(paths), errors)
    target = _attempt(lambda: check_target(Path(out)), errors) if out is not None else None
    opened = _attempt(
        lambda: open_predictor(_candidate(run_text, model_name, store_url), store_url), errors
    )
    _raise_all(errors)
    assert pictures is not None
    assert opened is not None
    model, facts, predict = opened
    with progress_display():
        predictions = predict_faces(
            pictures, predict, facts["classes"], image_format=recorded_format(facts)
        )
    if target is not None:
        write_predictions(predictions.table, target)
    _show(predictions, target)
    return {
        "out": str(target) if target else None,
        "model": model,
        "faces": faces,
        "pictures": len(predictions.table),
        "counts": predictions.counts,
        "skipped": [{"path": one.path, "reason": one.reason} for one in predictions.skipped],
    }


def _candidate(run_text: str | None, model_name: str, store_url: str | None) -> str:
    """The candidate of the run, if one is named; else the model of `--model`.

    Raises:
        FerError: both are named, or the run has no candidate.
    """
    if run_text is None:
        return model_name
    if model_name != _BUNDLED:
        raise ConfigError(f"--run {run_text} and --model {model_name}: pass only one of them")
    from fer_models.history.runs import find_run

    run = find_run(open_store(store_url), run_text)
    if run.candidate is None:
        raise StoreError(
            f"run {run.id} ({run.state}) has no candidate; choose another one (ferflow runs list)"
        )
    return run.candidate


def stored_model(store: ArtifactStore, text: str) -> ModelRef:
    """The stored model of an id, the beginning of an id, or `champion`.

    Raises:
        StoreError: no model matches, or more than one does.
    """
    if not text.strip():
        raise StoreError("expected the id of a model, got an empty text; pass an id or `champion`")
    if not is_champion_alias(text):
        return find_model(store, text)
    entry = named_champion(store, text)
    if entry is None:
        raise StoreError(
            f"{store.url}: there is no champion yet; run the pipeline, pass a model's id, or check "
            "--store"
        )
    return find_model(store, entry.model_id)


def open_predictor(name: str, store_url: str | None) -> "tuple[str, Mapping[str, Any], Predictor]":
    """The full name of a model, its preprocessing, and a function that predicts with it.

    Raises:
        FerError: the model does not exist or is damaged.
    """
    from fer_models.evaluation.predictions import model_preprocessing
    from fer_models.inference.bundle import default_bundle, load_any_bundle
    from fer_models.inference.facts import FACTS_SUFFIX, WEIGHTS_SUFFIX
    from fer_models.training.predict import (
        ENSEMBLE,
        load_network,
        predict_model,
        predict_probabilities,
    )

    kind, colon, bundle_name = name.partition(":")
    is_file = name.endswith((FACTS_SUFFIX, WEIGHTS_SUFFIX))
    if is_file or kind == _BUNDLED:
        which = name if is_file else (bundle_name if colon else default_bundle())
        loaded = load_any_bundle(which)
        label = name if is_file else f"{_BUNDLED}:{which}"
        return label, loaded.preprocessing, loaded.predict
    store = open_store(store_url)
    model = stored_model(store, name)
    if model.kind == ENSEMBLE:
        facts = model_preprocessing(store, model)
        return model.id, facts, lambda images: predict_model(store, model, images)
    network, preprocessing = load_network(store, model)
    return (
        model.id,
        preprocessing,
        lambda images: predict_probabilities(network, preprocessing, images),
    )


def _attempt(call: Callable[[], T], errors: list[FerError]) -> T | None:
    try:
        return call()
    except FerError as error:
        errors.append(error)
        return None


def _raise_all(errors: list[FerError]) -> None:
    """Raise all problems of the input as one error."""
    if len(errors) == 1:
        raise errors[0]
    lines = [
        line
        for error in errors
        for line in [f"{error.message}: {problem}" for problem in error.problems] or [error.message]
    ]
    if lines:
        raise DataError(f"the input can't be used: {len(lines)} problems", lines)


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
