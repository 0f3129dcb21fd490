"""Write a trained network to the store as a model artifact."""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from torch import nn

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.evaluation.predictions import (
    FINAL_FIT_OF,
    OUT_OF_FOLD_FILE,
    PROBABILITIES_FILE,
    final_name,
    probabilities_bytes,
)
from fer_models.evaluation.temperature import TEMPERATURES, reliable_temperature
from fer_models.lineage import lineage
from fer_models.models.factory import count_parameters
from fer_models.progress import report
from fer_models.remote.worker import current_node
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import NETWORK, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import member_identity, with_portable_network
from fer_models.training.config import TTA, MemberConfig
from fer_models.training.engine.callbacks import copied_weights
from fer_models.training.engine.fit import TrainedNetwork
from fer_models.training.engine.results import EpochResult
from fer_models.training.inputs.data import Preprocessing, Probabilities, split_images
from fer_models.training.inputs.tta import NUM_VIEWS
from fer_models.training.predict import predict_probabilities

_ID_LENGTH = 12
_FEWER_VIEWS: tuple[TTA, ...] = ("none", "flip")
TRAINING_KEY = "training_key"
"""In the metadata of a final fit: a hash of everything that it depends on."""
FOLDS = "folds"
"""In lineage and metadata of a model with out-of-fold predictions: the ids of its folds."""


@dataclass(frozen=True)
class OutOfFold:
    """The predictions of a member's fold networks, to be stored with its model.

    `content` is the file (see `out_of_fold_bytes`), `accuracy` is 0..1 on all training images,
    `fold_ids` are the artifacts of the folds.
    """

    content: bytes
    accuracy: float
    fold_ids: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """What a model came from, besides its images, settings and seed.

    `pretrained` is the fingerprint of the pretrained weights, `teachers` are the models that it was
    distilled from, `initial` is the one whose weights it started from, `final_fit_of` the one that
    was trained without the validation images. A final fit is found again by its `training_key`.
    `bundled_teachers` are the fingerprints of shipped teachers by name.
    """

    pretrained: str | None = None
    teachers: tuple[ModelRef, ...] = ()
    initial: ModelRef | None = None
    out_of_fold: OutOfFold | None = None
    final_fit_of: ModelRef | None = None
    training_key: str = ""
    bundled_teachers: Mapping[str, str] = field(default_factory=dict)

    def lineage(self) -> dict[str, Any]:
        """Its part of `lineage.json`."""
        facts: dict[str, Any] = {
            "pretrained": self.pretrained,
            "teachers": [teacher.id for teacher in self.teachers],
            "bundled_teachers": dict(self.bundled_teachers),
            "initial": self.initial.id if self.initial else None,
        }
        if self.out_of_fold is not None:
            facts[FOLDS] = list(self.out_of_fold.fold_ids)
        if self.final_fit_of is not None:
            facts[FINAL_FIT_OF] = self.final_fit_of.id
            facts["trained_on"] = ["train", "validation"]
        return facts


def write_model(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    member: MemberConfig,
    seed: int,
    trained: TrainedNetwork,
    origin: Origin,
) -> ModelRef:
    """Predict the validation and test images and write the model artifact.

    The id hashes weights, config, preprocessing, data and seed, but no timings: training twice
    with the same inputs gives the same model. A final fit has learned from the validation images:
    it has no probabilities and no accuracy of them.
    """
    base = origin.final_fit_of
    splits = ("validation", "test") if base is None else ("test",)
    files = network_files(member, trained)
    probabilities = predict_splits(
        trained.network,
        trained.preprocessing,
        snapshot,
        splits,
        ("train", member.name if base is None else f"{member.name}, final fit"),
        member.training.threads,
    )
    identity = json_bytes(member_identity(with_portable_network(member)), allow_nan=True)
    parts = [
        files["weights.safetensors"],
        identity,
        files["preprocessing.json"],
        snapshot.ref.id.encode(),
        str(seed).encode(),
        *(ref.id.encode() for ref in (origin.initial, base) if ref is not None),
    ]
    validation = probabilities.get("validation")
    files[PROBABILITIES_FILE] = probabilities_bytes(validation, probabilities["test"])
    facts = {**lineage(snapshot.ref.id, seed), **origin.lineage()}
    files["lineage.json"] = json_bytes(facts, allow_nan=True)
    name = member.name if base is None else final_name(member.name)
    info = {
        "name": name,
        "kind": NETWORK,
        "snapshot_id": snapshot.ref.id,
        "seed": seed,
        "parameters": count_parameters(trained.network),
        **validation_facts(
            trained.network,
            trained.preprocessing,
            snapshot,
            validation,
            member.training.threads,
        ),
        "train_seconds": trained.train_seconds,
        "best_epoch": trained.best.epoch,
    }
    if base is not None:
        info |= {FINAL_FIT_OF: base.id, TRAINING_KEY: origin.training_key}
    if origin.out_of_fold is not None:
        files[OUT_OF_FOLD_FILE] = origin.out_of_fold.content
        info["out_of_fold_accuracy"] = origin.out_of_fold.accuracy
        info[FOLDS] = list(origin.out_of_fold.fold_ids)
    if (node := current_node()) is not None:
        info["node"] = {"id": node.id, "host": node.host}
    model_id = f"{name}-{_digest(parts)[:_ID_LENGTH]}"
    return store.put(ModelRef, model_id, files, info, name=name)


def network_files(member: MemberConfig, trained: TrainedNetwork) -> dict[str, bytes]:
    """The files of a stored network that predicting needs, and its training curve."""
    files = prediction_files(member, trained.network, trained.preprocessing)
    return {**files, "curve.csv": curve_file(trained.curve)}


def prediction_files(
    member: MemberConfig, network: nn.Module, preprocessing: Preprocessing
) -> dict[str, bytes]:
    """The files of a stored network that predicting needs."""
    from safetensors.torch import save

    config = with_portable_network(member).model_dump(mode="json")
    return {
        "weights.safetensors": save(copied_weights(network)),
        "config.json": json_bytes(config, allow_nan=True),
        "preprocessing.json": json_bytes(dict(preprocessing), allow_nan=True),
    }


def _digest(parts: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def predict_splits(
    network: nn.Module,
    preprocessing: Preprocessing,
    snapshot: DatasetSnapshot,
    splits: Sequence[str],
    progress: tuple[str, str],
    threads: int | None = None,
) -> dict[str, Probabilities]:
    """The network's probabilities of the images of each split.

    `progress` is the stage in which it is reported, and the label of the network.
    """
    stage, label = progress
    predicted = {}
    for split in splits:
        images = split_images(snapshot, split).images
        predicted[split] = predict_probabilities(
            network,
            preprocessing,
            images,
            threads=threads,
            on_batch=partial(
                report,
                stage,
                total=len(images),
                unit="images",
                note=f"{label}: predicting the {split} images",
            ),
        )
    return predicted


def validation_facts(
    network: nn.Module,
    preprocessing: Preprocessing,
    snapshot: DatasetSnapshot,
    validation_NK: Probabilities | None,
    threads: int | None = None,
) -> dict[str, Any]:
    """The metadata that the validation images give: accuracy, and temperatures by number of views.

    Args:
        network: is predicted with once more for each smaller number of views that a user may
            choose (see `fer_models.bundles.speed`).
        preprocessing: its views are those of `validation_NK`.
        snapshot: split.
        validation_NK: the probabilities of the validation images; None for a final fit.
        threads: see `predict_probabilities`.
    """
    facts: dict[str, Any] = {"validation_accuracy": validation_accuracy(snapshot, validation_NK)}
    if validation_NK is None:
        return facts
    validation = split_images(snapshot, "validation")
    own_views = NUM_VIEWS[preprocessing.get("tta", "none")]
    probs_by_views = {own_views: validation_NK}
    for tta in _FEWER_VIEWS:
        if NUM_VIEWS[tta] < own_views:
            fewer: Preprocessing = {**preprocessing, "tta": tta}
            found = predict_probabilities(network, fewer, validation.images, threads=threads)
            probs_by_views[NUM_VIEWS[tta]] = found
    temperatures = {
        str(views): reliable_temperature(probs_NK.astype(np.float64), validation.labels)
        for views, probs_NK in sorted(probs_by_views.items())
    }
    known = {views: found for views, found in temperatures.items() if found is not None}
    return facts | {TEMPERATURES: known}


def validation_accuracy(
    snapshot: DatasetSnapshot, validation_NK: Probabilities | None
) -> float | None:
    """The accuracy on the validation images, 0..1; None without predictions of them."""
    if validation_NK is None:
        return None
    labels = snapshot.labels(snapshot.positions("validation"))
    return float(np.mean(validation_NK.argmax(1) == labels))


def curve_file(curve: Sequence[EpochResult]) -> bytes:
    """`curve.csv`: one row per epoch, one column per field of `EpochResult`."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(EpochResult.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.model_dump() for result in curve)
    return buffer.getvalue().encode()
