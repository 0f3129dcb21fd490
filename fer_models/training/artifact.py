"""Writes a trained network into the store."""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.lineage import lineage
from fer_models.models.factory import count_parameters
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import member_identity, with_portable_network
from fer_models.training.config import MemberConfig
from fer_models.training.engine.callbacks import copied_weights
from fer_models.training.engine.fit import TrainedNetwork
from fer_models.training.engine.results import EpochResult
from fer_models.training.inputs.data import Probabilities, split_images
from fer_models.training.predict import predict_probabilities

_ID_LENGTH = 12


def write_model(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    member: MemberConfig,
    seed: int,
    trained: TrainedNetwork,
    started_from: str | None = None,
    teachers: Sequence[ModelRef] = (),
) -> ModelRef:
    """Predict the validation and test images and write the model artifact.

    The id is taken over weights, config, preprocessing, data and seed, not over timings: the same
    training twice is the same model. `started_from` is the fingerprint of pretrained weights;
    `teachers` are the models that the network learned from.
    """
    from safetensors.torch import save

    member = with_portable_network(member)
    weights = save(copied_weights(trained.network))
    config = _json_bytes(member.model_dump(mode="json"))
    preprocessing = _json_bytes(dict(trained.preprocessing))
    identity = _json_bytes(member_identity(member))
    parts = [weights, identity, preprocessing, snapshot.ref.id.encode(), str(seed).encode()]
    probabilities, accuracy = _predict(snapshot, trained, member.training.threads)
    files = {
        "weights.safetensors": weights,
        "config.json": config,
        "preprocessing.json": preprocessing,
        "probabilities.npz": probabilities_file(**probabilities),
        "curve.csv": curve_file(trained.curve),
        "lineage.json": _json_bytes(
            {
                **lineage(snapshot.ref.id, seed),
                "pretrained": started_from,
                "teachers": [teacher.id for teacher in teachers],
            }
        ),
    }
    info = {
        "name": member.name,
        "kind": "network",
        "snapshot_id": snapshot.ref.id,
        "seed": seed,
        "parameters": count_parameters(trained.network),
        "validation_accuracy": accuracy,
        "train_seconds": trained.train_seconds,
        "best_epoch": trained.best.epoch,
    }
    model_id = f"{member.name}-{_digest(parts)[:_ID_LENGTH]}"
    return store.put(ModelRef, model_id, files, info, name=member.name)


def _digest(parts: Sequence[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _predict(
    snapshot: DatasetSnapshot, trained: TrainedNetwork, threads: int | None
) -> tuple[dict[str, Probabilities], float]:
    probabilities = {}
    accuracy = 0.0
    for split in ("validation", "test"):
        part = split_images(snapshot, split)
        probs_NK = predict_probabilities(
            trained.network, trained.preprocessing, part.images, threads=threads
        )
        probabilities[split] = probs_NK
        if split == "validation":
            accuracy = float(np.mean(probs_NK.argmax(1) == part.labels))
    return probabilities, accuracy


def probabilities_file(validation: Probabilities, test: Probabilities) -> bytes:
    """`probabilities.npz`: arrays `validation` and `test`, float32 N x 7."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, validation=validation, test=test)
    return buffer.getvalue()


def curve_file(curve: Sequence[EpochResult]) -> bytes:
    """`curve.csv`: one line an epoch, columns as the fields of `EpochResult`."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(EpochResult.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.model_dump() for result in curve)
    return buffer.getvalue().encode()


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()
