"""What the measures and the page of a drift are computed from.

M validation images, N recent images, K classes, D features.
"""

from dataclasses import dataclass

import numpy as np

from fer_models.dataset.image_format import to_thumbnails
from fer_models.dataset.snapshot import DatasetSnapshot, Images
from fer_models.drift import measures
from fer_models.drift.confidence import fit_temperature, scale_probabilities
from fer_models.drift.config import DriftConfig
from fer_models.drift.embedding import (
    distances_to_reference,
    embed,
    largest_network,
    standardise,
)
from fer_models.drift.image_measures import image_statistics
from fer_models.drift.results import Measure
from fer_models.drift.statistics import Floats
from fer_models.errors import ConfigError
from fer_models.evaluation.predictions import Predictions
from fer_models.progress import report
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import predict_model

NUM_STEPS = 4


@dataclass(frozen=True)
class Evidence:
    """Everything known about the recent images and what they are compared with."""

    training_statistics: dict[str, Floats]
    recent_statistics: dict[str, Floats]
    validation_probs_MK: Floats
    recent_probs_NK: Floats
    validation_confidence_M: Floats
    recent_confidence_N: Floats
    temperature: float
    accuracy: float
    distances_N: Floats
    """Distance of each recent image from the held-out ones; empty without embeddings."""
    embedding: Measure
    classes: tuple[str, ...]
    """Names of the K classes of the champion."""


def gather_evidence(
    store: ArtifactStore,
    champion: ModelRef,
    snapshot: DatasetSnapshot,
    validation: Predictions,
    recent: Images,
    config: DriftConfig,
    seed: int,
) -> Evidence:
    """Compute statistics, predictions and embeddings.

    Args:
        store: holds the champion.
        champion: a network or an ensemble.
        snapshot: what it was trained on.
        validation: its stored predictions, of at least one image.
        recent: uint8, in the format of the snapshot.
        config: how many embeddings are compared.
        seed: of the drawn images and of the permutations.

    Raises:
        StoreError: the champion is missing or damaged.
    """
    report("drift", 0, NUM_STEPS, "steps", "image statistics")
    training = image_statistics(np.asarray(snapshot.thumbnails[snapshot.positions("train")]))
    now = image_statistics(to_thumbnails(recent))
    report("drift", 1, NUM_STEPS, "steps", f"predicting {len(recent)} images")
    probs_NK = predict_model(store, champion, recent).astype(np.float64)
    temperature = fit_temperature(validation.probs_NK, validation.labels)
    confidence_M, confidence_N = (
        scale_probabilities(probs, temperature).max(axis=1)
        for probs in (validation.probs_NK, probs_NK)
    )
    report("drift", 2, NUM_STEPS, "steps", "embeddings")
    held_out = np.asarray(snapshot.images[validation.positions])
    embedding, distances_N = _embedding(store, champion, held_out, recent, config, seed)
    return Evidence(
        training_statistics=training,
        recent_statistics=now,
        validation_probs_MK=validation.probs_NK,
        recent_probs_NK=probs_NK,
        validation_confidence_M=confidence_M,
        recent_confidence_N=confidence_N,
        temperature=temperature,
        accuracy=float(np.mean(validation.correct)),
        distances_N=distances_N,
        embedding=embedding,
        classes=snapshot.classes.names,
    )


def _embedding(
    store: ArtifactStore,
    champion: ModelRef,
    held_out: Images,
    recent: Images,
    config: DriftConfig,
    seed: int,
) -> tuple[Measure, Floats]:
    """The embedding measure, and the distance of each recent image (empty if not judged)."""
    if len(held_out) < config.min_images:
        why = f"{len(held_out)} of {config.min_images} validation images"
        return measures.no_embedding_measure(why, config), np.zeros(0)
    network = largest_network(store, champion)
    try:
        reference_MD, recent_ND = (embed(store, network, images) for images in (held_out, recent))
    except ConfigError:
        why = f"the network {network.name} has no linear layer"
        return measures.no_embedding_measure(why, config), np.zeros(0)
    reference_MD, recent_ND = standardise(reference_MD, recent_ND)
    rng = np.random.default_rng(seed)
    drawn = [
        sample[np.sort(rng.permutation(len(sample))[: config.max_embedded_images])]
        for sample in (reference_MD, recent_ND)
    ]
    measure = measures.embedding_measure(drawn[0], drawn[1], config, rng)
    return measure, distances_to_reference(reference_MD, recent_ND)
