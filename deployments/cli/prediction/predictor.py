"""The model of a command line that predicts, and the errors of its input, reported together."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from deployments.cli.latest import find_model
from deployments.cli.options import open_store
from fer_models.errors import ConfigError, DataError, FerError, StoreError
from fer_models.storage.champions import is_champion_alias, named_champion
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.inference.predict_faces import Predictor

T = TypeVar("T")
BUNDLED = "bundled"


def candidate_of(run_text: str | None, model_name: str, store_url: str | None) -> str:
    """The candidate of the run, if one is named; else the model of `--model`.

    Raises:
        FerError: both are named, or the run has no candidate.
    """
    if run_text is None:
        return model_name
    if model_name != BUNDLED:
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
    if is_file or kind == BUNDLED:
        which = name if is_file else (bundle_name if colon else default_bundle())
        loaded = load_any_bundle(which)
        label = name if is_file else f"{BUNDLED}:{which}"
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


def attempt(call: Callable[[], T], errors: list[FerError]) -> T | None:
    """The result of the call; None after an error, which is added to `errors`."""
    try:
        return call()
    except FerError as error:
        errors.append(error)
        return None


def raise_all(errors: list[FerError]) -> None:
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
