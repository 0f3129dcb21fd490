"""What a model knows of the faces that it was trained on."""

import functools

import numpy as np

from fer_models.dataset.snapshot import Images
from fer_models.errors import StoreError
from fer_models.faces.familiarity import FaceFamiliarity, Scores, fit_familiarity
from fer_models.inference.expression_model import Unfamiliarity
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore


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


def stored_unfamiliarity(store: ArtifactStore, model: ModelRef) -> Unfamiliarity | None:
    """The scores of a stored model, fitted at the first call; None without its snapshot."""
    if not store.exists(_snapshot_ref(store, model)):
        return None
    fitted = functools.cache(lambda: _training_familiarity(store, model))

    def score(images: Images) -> Scores:
        familiarity = fitted()
        # Too few faces to know others by: everything is as familiar as can be.
        return (
            np.zeros(len(images), dtype=np.float32)
            if familiarity is None
            else familiarity.unfamiliarity(images)
        )

    return score


def familiarity_text(store: ArtifactStore, model: ModelRef) -> str:
    """For the metadata of an exported model; empty without its training images."""
    familiarity = _training_familiarity(store, model)
    return "" if familiarity is None else familiarity.to_text()


def _training_familiarity(store: ArtifactStore, model: ModelRef) -> FaceFamiliarity | None:
    """Fitted on the training images of a model; None if they are gone or too few."""
    from fer_models.dataset.snapshot import open_snapshot

    ref = _snapshot_ref(store, model)
    if not store.exists(ref):
        return None
    snapshot = open_snapshot(store, ref)
    return fit_familiarity(np.asarray(snapshot.images[snapshot.positions("train")]))


def _snapshot_ref(store: ArtifactStore, model: ModelRef) -> SnapshotRef:
    return store.ref(SnapshotRef, store.info(model)["snapshot_id"])
