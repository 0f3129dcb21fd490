"""Accuracy, temperature and cost of a model at each speed.

N images, K classes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.bundles.facts import MeasuredAccuracy, SpeedFacts
from fer_models.bundles.speed import SPEEDS, Speed, views_at
from fer_models.evaluation.temperature import reliable_temperature
from fer_models.inference.networks import LoadedModel
from fer_models.models.config import NetworkConfig
from fer_models.models.summary import summarize
from fer_models.progress import report
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.inputs.data import SplitImages, split_images
from fer_models.training.inputs.tta import NUM_VIEWS

_Masks = dict[str, npt.NDArray[np.bool_]]


def measured_speeds(
    store: ArtifactStore, model: ModelRef, loaded: LoadedModel, networks: Sequence[NetworkConfig]
) -> dict[Speed, SpeedFacts]:
    """Measure a model on its held-out images at each speed.

    The temperature of a single network is fitted to the validation images, never to those of the
    test.

    Args:
        store: contains the snapshot that the model was trained on; without it no accuracy is
            measured.
        model: says which images are held out.
        loaded: the model.
        networks: its networks.
    """
    held_out = _held_out(store, model)
    by_views: dict[int, SpeedFacts] = {}
    speeds: dict[Speed, SpeedFacts] = {}
    for speed in SPEEDS:
        each = [views_at(speed, NUM_VIEWS[one.tta]) for one in loaded.parts]
        cost = sum(
            summarize(config, depth=1).multiply_adds * views
            for config, views in zip(networks, each, strict=True)
        )
        if cost not in by_views:
            found = {} if held_out is None else _measured(loaded.at_speed(speed), *held_out)
            by_views[cost] = SpeedFacts(views=max(each), multiply_adds=cost, **found)
        speeds[speed] = by_views[cost]
    return speeds


def _held_out(store: ArtifactStore, model: ModelRef) -> tuple[SplitImages, _Masks] | None:
    """The images, and which of them belong to each set; None if they are no longer stored."""
    from fer_models.dataset.snapshot import SPLITS, open_snapshot
    from fer_models.evaluation.evaluate import is_leaked
    from fer_models.evaluation.predictions import held_out_splits
    from fer_models.evaluation.seen.images import exactly_seen
    from fer_models.evaluation.seen.trainings import trainings_of

    ref = store.ref(SnapshotRef, store.info(model)["snapshot_id"])
    if not store.exists(ref):
        return None
    snapshot = open_snapshot(store, ref)
    splits = held_out_splits(store, model)
    split, trained_on = splits[0], [name for name in SPLITS if name not in splits]
    images = split_images(snapshot, split)
    positions = snapshot.positions(split)
    seen_N = exactly_seen(store, ref, trainings_of(store, model).found)
    unseen = ~is_leaked(snapshot, positions, trained_on) & ~seen_N[positions]
    return images, {split: np.ones(len(images), dtype=bool), f"{split}_unseen": unseen}


def _measured(loaded: LoadedModel, images: SplitImages, sets: _Masks) -> dict[str, Any]:
    """Accuracy by evaluation set, and the temperature of a single network."""
    split = next(iter(sets))
    report("export", 0, len(images), "images", f"measuring accuracy on the {split} set")
    probs_NK = replace(loaded, temperatures={}).predict(images.images)
    report("export", len(images), len(images), "images")
    is_fitted = split == "validation" and loaded.combination is None
    return {
        "accuracy": _accuracy(probs_NK.argmax(1) == images.labels, sets),
        "temperature": reliable_temperature(probs_NK, images.labels) if is_fitted else None,
    }


def _accuracy(correct: npt.NDArray[np.bool_], sets: _Masks) -> dict[str, MeasuredAccuracy]:
    return {
        name: MeasuredAccuracy(accuracy=float(np.mean(correct[mask])), n=int(mask.sum()))
        for name, mask in sets.items()
        if mask.any()
    }
