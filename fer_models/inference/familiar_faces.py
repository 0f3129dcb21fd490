"""What a model knows of the faces that it was trained on."""

import functools
from collections.abc import Callable

import numpy as np

from fer_models.dataset.image_format import Pixels
from fer_models.errors import StoreError
from fer_models.faces.familiarity import FaceFamiliarity, Scores, fit_familiarity
from fer_models.inference.expression_model import Unfamiliarity
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

Familiarity = Callable[[], str]
"""Returns the text of a `FaceFamiliarity`; empty if it is unknown."""


def recorded_unfamiliarity(text: str, where: str) -> Unfamiliarity | None:
    """The scores of a bundle or an ONNX file; None if its metadata has no such model.

    Raises:
        StoreError: the metadata is damaged.
    """
    if not text:
        return None
    try:
        return FaceFamiliarity.from_text(text).unfamiliarity
    except ValueError as error:
        raise StoreError(f"{where}: `familiarity`: {error}; export the model again") from error


def later_unfamiliarity(familiarity: Familiarity, where: str) -> Unfamiliarity:
    """The scores of a model that is fitted at the first call; NaN if it can't be."""
    fitted = functools.cache(lambda: recorded_unfamiliarity(familiarity(), where))

    def score(images: Pixels) -> Scores:
        known = fitted()
        return np.full(len(images), np.nan, np.float32) if known is None else known(images)

    return score


def stored_familiarity(store: ArtifactStore, model: ModelRef) -> Familiarity:
    """Fitted on the training images of a stored model; empty if they are gone or too few."""

    def fit() -> str:
        from fer_models.dataset.snapshot import open_snapshot

        ref = store.ref(SnapshotRef, store.info(model)["snapshot_id"])
        if not store.exists(ref):
            return ""
        snapshot = open_snapshot(store, ref)
        fitted = fit_familiarity(np.asarray(snapshot.images[snapshot.positions("train")]))
        return "" if fitted is None else fitted.to_text()

    return functools.cache(fit)
