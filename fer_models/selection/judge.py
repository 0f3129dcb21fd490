"""What a model says about candidates: calibrated probabilities, uncertainty and features.

N candidates, K classes, M members, D features.
"""

from dataclasses import dataclass

import numpy as np

from fer_models.dataset.image_format import to_thumbnails
from fer_models.dataset.snapshot import Images
from fer_models.drift.embedding import embed, largest_network
from fer_models.errors import ConfigError
from fer_models.evaluation.predictions import networks_of
from fer_models.inference.expression_model import ExpressionModel
from fer_models.selection.config import Measure
from fer_models.selection.uncertainty import (
    Floats,
    disagreement,
    entropy,
    margin_uncertainty,
)
from fer_models.storage.refs import ENSEMBLE, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import predict_model


@dataclass(frozen=True)
class Judgement:
    """Probabilities at the model's temperature, if it has one, and how unsure it is by `by`."""

    probs_NK: Floats
    uncertainty_N: Floats
    by: Measure
    temperature: float
    """1: the probabilities are not calibrated."""


def judge(
    store: ArtifactStore,
    model: ExpressionModel,
    ref: ModelRef | None,
    images: Images,
    by: Measure,
) -> Judgement:
    """Predict candidates.

    Args:
        store: holds the model.
        model: predicts.
        ref: the stored model; None for a bundle.
        images: uint8, in the format of the model.
        by: the measure.

    Raises:
        ConfigError: disagreement is asked of a model without members.
        StoreError: the model is missing or damaged.
    """
    members = networks_of(store, ref) if ref is not None and ref.kind == ENSEMBLE else []
    if by == "auto":
        by = "disagreement" if len(members) > 1 else "margin"
    if by == "disagreement" and len(members) < 2:
        raise ConfigError(
            f"disagreement needs an ensemble of stored networks, {model.name} is none; choose "
            "margin or entropy"
        )
    probs_NK = model.predict(images).astype(np.float64)
    if by == "disagreement":
        of_members = [predict_model(store, member, images) for member in members]
        uncertainty_N = disagreement(np.stack(of_members).astype(np.float64))
    else:
        uncertainty_N = (entropy if by == "entropy" else margin_uncertainty)(probs_NK)
    return Judgement(probs_NK, uncertainty_N, by, model.temperature or 1.0)


def features(store: ArtifactStore, ref: ModelRef | None, images: Images) -> Floats:
    """Standardised embeddings N x D; thumbnails for a bundle, or a network without linear layer."""
    try:
        if ref is None:
            raise ConfigError("a bundle gives no embeddings")
        found_ND = embed(store, largest_network(store, ref), images)
    except ConfigError:
        found_ND = to_thumbnails(images).reshape(len(images), -1).astype(np.float64)
    spread = found_ND.std(axis=0)
    scaled: Floats = (found_ND - found_ND.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def snapshot_of(store: ArtifactStore, ref: ModelRef) -> SnapshotRef:
    """The snapshot that a model was trained on; it may be gone."""
    return store.ref(SnapshotRef, str(store.info(ref).get("snapshot_id")))
