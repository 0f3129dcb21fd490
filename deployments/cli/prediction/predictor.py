"""The model of a command line that predicts, and its search for faces."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from deployments.cli.options import open_store, without_effect
from fer_models.errors import StoreError
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings

if TYPE_CHECKING:
    from fer_models.bundles.speed import Speed
    from fer_models.inference.expression_model import ExpressionModel

BUNDLED = "bundled"


def candidate_of(run_text: str | None, model_name: str, store_url: str | None) -> str:
    """The candidate of the run, if one is named; else the model of `--model`.

    Raises:
        FerError: the run is unknown, or has no candidate.
    """
    if run_text is None:
        return model_name
    from fer_models.history.runs import find_run

    run = find_run(open_store(store_url), run_text)
    if run.candidate is None:
        raise StoreError(
            f"run {run.id} ({run.state}) has no candidate; choose another one (ferflow runs list)"
        )
    return run.candidate


def open_predictor(name: str, store_url: str | None, speed: "Speed" = "best") -> "ExpressionModel":
    """The model of a name, loaded; a store is opened only for stored models.

    Raises:
        FerError: the model does not exist or is damaged.
    """
    from fer_models.bundles.names import needs_store
    from fer_models.inference.open_model import open_model

    return open_model(name, open_store(store_url) if needs_store(name) else None, speed)


def open_named(options: Mapping[str, Any]) -> "ExpressionModel":
    """The model of `--model` or `--run`, in the store of `--store`.

    Raises:
        FerError: the model does not exist or is damaged, or the run has none.
    """
    store_url = options["store_url"]
    name = candidate_of(options["run_text"], options["model_name"], store_url)
    return open_predictor(name, store_url, options["speed"])


def search_problems(faces: str | None) -> list[str]:
    """What is wrong with the options of the search for faces, given `--faces`."""
    if faces != "crop":
        return []
    advice = "no face is searched for with --faces crop; choose --faces detect or auto, or omit it"
    return without_effect(["min_face_px"], advice)


def face_settings(options: Mapping[str, Any]) -> FaceSettings:
    """The search for faces, with the smallest face of `--min-face`."""
    smallest = options["min_face_px"]
    return DEFAULT_FACES if smallest is None else FaceSettings(min_size_px=smallest)
