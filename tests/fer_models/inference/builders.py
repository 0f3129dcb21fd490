"""Small stored networks with random weights, and pictures."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save
from torch import nn

from fer_models.combination.rules import MeanRule, Rule
from fer_models.combination.stored import (
    Combination,
    StoredMember,
    combination_files,
    weights_sha256,
)
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import probabilities_bytes
from fer_models.inference.export import write_bundle
from fer_models.inference.import_bundle import import_bundle
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_network, count_parameters
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.engine.callbacks import copied_weights
from fer_models.training.inputs.data import (
    Preprocessing,
    SplitImages,
    preprocessing_for,
    split_images,
)
from fer_models.training.predict import predict_probabilities
from tests.fer_models.training.faces import write_faces

MEMBER = MemberConfig(name="small", network=NetworkConfig(width=0.25))


def stored_network(
    store: ArtifactStore,
    seed: int = 0,
    member: MemberConfig = MEMBER,
    scale: float = 1.0,
    num_validation: int = 42,
    *,
    has_learned: bool = False,
) -> ModelRef:
    """An untrained network, stored as by a training; its weights are multiplied by `scale`.

    If it `has_learned` it is often right, see `fit_head`.
    """
    ref = write_faces(store, num_validation=num_validation)
    snapshot = open_snapshot(store, ref)
    parts = {split: split_images(snapshot, split) for split in ("train", "validation", "test")}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(member.network).eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(scale)
    preprocessing = preprocessing_for(member.network, parts["train"].images)
    if has_learned:
        fit_head(network, preprocessing, parts["train"])
    if member.tta != "none":
        preprocessing["tta"] = member.tta
    probabilities = {
        split: predict_probabilities(network, preprocessing, parts[split].images)
        for split in ("validation", "test")
    }
    right = probabilities["validation"].argmax(1) == parts["validation"].labels
    files = {
        "weights.safetensors": save(copied_weights(network)),
        "config.json": member.model_dump_json().encode(),
        "preprocessing.json": json.dumps(preprocessing).encode(),
        "probabilities.npz": probabilities_bytes(**probabilities),
        "lineage.json": json.dumps({"platform": "a computer", "ferflow": "0.1.0"}).encode(),
    }
    info = {
        "name": member.name,
        "kind": "network",
        "snapshot_id": ref.id,
        "seed": seed,
        "parameters": count_parameters(network),
        "validation_accuracy": float(np.mean(right)),
        "train_seconds": 1.5,
    }
    return store.put(ModelRef, f"{member.name}-{seed}", files, info, name=member.name)


def fit_head(
    network: nn.Module, preprocessing: Preprocessing, train: SplitImages, num_features: int = 3
) -> None:
    """Fit the last layer of compact_cnn to some of its features: too few to be always right."""
    head = network.get_submodule("head")
    linear = head.get_submodule("3")
    assert isinstance(linear, nn.Linear)
    found: list[torch.Tensor] = []
    hook = linear.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    predict_probabilities(network, preprocessing, train.images)
    hook.remove()
    features_NF = torch.cat(found)[:, :num_features]
    scaled_NF = (features_NF - features_NF.mean(0)) / features_NF.std(0)
    targets_NK = nn.functional.one_hot(torch.from_numpy(train.labels).long(), linear.out_features)
    weights_FK = torch.linalg.lstsq(scaled_NF, 8 * (targets_NK.float() - 1 / 7)).solution
    with torch.no_grad():
        linear.weight.zero_()
        linear.weight[:, :num_features] = (weights_FK / features_NF.std(0)[:, None]).T
        linear.bias.copy_(-linear.weight[:, :num_features] @ features_NF.mean(0))


def imported_network(store: ArtifactStore, model: ModelRef) -> ModelRef:
    """The same network, as it comes in from a bundle."""
    folder = store.local_root / "bundles" / model.id
    write_bundle(store, model, folder, name="same")
    snapshot = store.ref(SnapshotRef, store.info(model)["snapshot_id"])
    return import_bundle(store, str(folder / "same.json"), snapshot)


def stored_ensemble(
    store: ArtifactStore, members: list[ModelRef], rule: Rule | None = None, temperature: float = 1
) -> ModelRef:
    """Some networks combined, by default by their mean."""
    rule = rule or MeanRule(weights=(1 / len(members),) * len(members))
    combination = Combination(method="any", rule=rule, temperature=temperature)
    stored = [
        StoredMember(model_id=m.id, name=m.name, weights_sha256=weights_sha256(store, m))
        for m in members
    ]
    name = f"ensemble-{rule.kind}"
    info = {**store.info(members[0]), "name": name, "kind": "ensemble"}
    files = {
        **combination_files(combination, stored),
        "lineage.json": store.read_file(members[0], "lineage.json"),
        "probabilities.npz": store.read_file(members[0], "probabilities.npz"),
    }
    return store.put(ModelRef, name, files, info, name=name, kind="ensemble")


def write_picture(path: Path, image: Image.Image | np.ndarray, kind: str = "PNG") -> bytes:
    """Write a picture under any file name; returns its bytes."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return buffer.getvalue()
