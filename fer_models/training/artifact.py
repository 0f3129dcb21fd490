"""Write a trained network to the store as a model artifact."""

import csv
import hashlib
import io
from collections.abc import Sequence

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.evaluation.predictions import PROBABILITIES_FILE, probabilities_bytes
from fer_models.lineage import lineage
from fer_models.models.factory import count_parameters
from fer_models.remote.worker import current_node
from fer_models.storage.json_bytes import json_bytes
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
    initial: ModelRef | None = None,
) -> ModelRef:
    """Predict the validation and test images and write the model artifact.

    The id hashes weights, config, preprocessing, data and seed, but no timings: training twice
    with the same inputs gives the same model. `started_from` is the fingerprint of the pretrained
    weights; `teachers` are the models that the network was distilled from, `initial` the one whose
    weights it started from.
    """
    from safetensors.torch import save

    member = with_portable_network(member)
    weights = save(copied_weights(trained.network))
    config = json_bytes(member.model_dump(mode="json"), allow_nan=True)
    preprocessing = json_bytes(dict(trained.preprocessing), allow_nan=True)
    identity = json_bytes(member_identity(member), allow_nan=True)
    parts = [weights, identity, preprocessing, snapshot.ref.id.encode(), str(seed).encode()]
    if initial is not None:
        parts.append(initial.id.encode())
    probabilities, accuracy = _predict(snapshot, trained, member.training.threads)
    files = {
        "weights.safetensors": weights,
        "config.json": config,
        "preprocessing.json": preprocessing,
        PROBABILITIES_FILE: probabilities_bytes(**probabilities),
        "curve.csv": curve_file(trained.curve),
        "lineage.json": json_bytes(
            {
                **lineage(snapshot.ref.id, seed),
                "pretrained": started_from,
                "teachers": [teacher.id for teacher in teachers],
                "initial": initial.id if initial else None,
            },
            allow_nan=True,
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
    if (node := current_node()) is not None:
        info["node"] = {"id": node.id, "host": node.host}
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


def curve_file(curve: Sequence[EpochResult]) -> bytes:
    """`curve.csv`: one row per epoch, one column per field of `EpochResult`."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(EpochResult.model_fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(result.model_dump() for result in curve)
    return buffer.getvalue().encode()
