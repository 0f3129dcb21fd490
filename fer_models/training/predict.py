"""Probabilities of stored models on any images.

N images, K classes; probabilities are float32 N x K, rows sum to 1.
"""

import json
from collections.abc import Iterable

import numpy as np
import torch
from torch import nn

from fer_models.dataset.snapshot import Images
from fer_models.errors import StoreError
from fer_models.labels import NUM_CLASSES
from fer_models.models.factory import build_empty_network
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.batches import as_float, to_inputs, uint8_tensor
from fer_models.training.inputs.data import Preprocessing, Probabilities
from fer_models.training.inputs.tta import tta_views
from fer_models.training.runtime import best_device, limited_threads

ENSEMBLE = "ensemble"


def predict_model(store: ArtifactStore, model: ModelRef, images: Images) -> Probabilities:
    """Probabilities N x K of a stored network or ensemble for uint8 images N x 48 x 48.

    An ensemble's are the mean of its members', weighted as `members.json` says.

    Raises:
        StoreError: the model, or a member of it, is absent or damaged.
    """
    if model.kind != ENSEMBLE:
        network, preprocessing = load_network(store, model)
        return predict_probabilities(network, preprocessing, images)
    members = store.read_json(model, "members.json")
    total = sum(float(member["weight"]) for member in members)
    mixed = np.zeros((len(images), NUM_CLASSES), dtype=np.float64)
    for member in members:
        weight = float(member["weight"])
        if weight == 0:
            continue
        ref = member_ref(store, member["model_id"], member["name"])
        mixed += weight / total * predict_model(store, ref, images)
    return mixed.astype(np.float32)


def member_ref(store: ArtifactStore, model_id: str, name: str) -> ModelRef:
    """The name of a stored network by its id."""
    return ModelRef(id=model_id, url=f"{store.url}/{ModelRef.folder}/{model_id}", name=name)


def load_network(store: ArtifactStore, model: ModelRef) -> tuple[nn.Module, Preprocessing]:
    """A stored network in evaluation mode on the CPU, and how its images are prepared.

    Raises:
        StoreError: it is absent or damaged, or is an ensemble.
    """
    if model.kind == ENSEMBLE:
        raise StoreError(f"{model.url}: expected a network, got an ensemble; use predict_model")
    from safetensors.torch import load_file

    member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
    preprocessing: Preprocessing = json.loads(store.read_file(model, "preprocessing.json"))
    weights = load_file(store.fetch(model, "weights.safetensors"))
    with torch.random.fork_rng(devices=[]):
        network = build_empty_network(member.network)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise StoreError(
            f"{model.url}: its weights do not fit the network {member.network.name} of this "
            f"version ({str(error).splitlines()[0]}); train it again"
        ) from error
    network = network.to(memory_format=torch.channels_last)
    return network.eval(), preprocessing


def predict_probabilities(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: Images,
    batch_size: int = 512,
    threads: int | None = None,
) -> Probabilities:
    """Probabilities N x K of uint8 images N x 48 x 48; float32 throughout.

    The network works on the GPU where there is one, and is back on the CPU afterwards; `threads`
    as `training_threads` takes them.
    """
    device = best_device()
    network = network.eval().to(device)
    try:
        with limited_threads(threads):
            parts = list(_batches(network, preprocessing, images, batch_size, device))
    finally:
        network.cpu()
    return np.concatenate([np.zeros((0, NUM_CLASSES), np.float32), *parts])


def _batches(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: Images,
    batch_size: int,
    device: torch.device,
) -> Iterable[Probabilities]:
    for start in range(0, len(images), batch_size):
        with torch.inference_mode():
            batch = as_float(uint8_tensor(images[start : start + batch_size], device))
            opinions = [
                torch.softmax(network(to_inputs(view, preprocessing)).float(), dim=1)
                for view in tta_views(batch, preprocessing.get("tta", "none"))
            ]
            yield torch.stack(opinions).mean(0).cpu().numpy()
