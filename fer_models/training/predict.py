"""Class probabilities of stored models for any images.

N images, K classes; probabilities are float32 N x K, rows sum to 1.
"""

import json
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import nn

from fer_models.cluster_address import uses_cluster
from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import Images
from fer_models.errors import StoreError
from fer_models.models.factory import build_empty_network
from fer_models.remote.config import PlacementConfig
from fer_models.storage.refs import ENSEMBLE, FoldRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.batches import as_float, eval_batch_size, to_inputs, uint8_tensor
from fer_models.training.inputs.data import Preprocessing, Probabilities
from fer_models.training.inputs.tta import tta_views
from fer_models.training.runtime import best_device, limited_threads

# Sending fewer images away takes longer than predicting them.
_MANY_IMAGES = 1000


def predict_model(store: ArtifactStore, model: ModelRef, images: Images) -> Probabilities:
    """Class probabilities of a stored network or ensemble.

    An ensemble combines the probabilities of its members by its rule and temperature. On a Ray
    cluster many images are predicted on a node, with a GPU if there is one.

    Example:
        model = train_member(store, snapshot, member, seed=0, tracking=TrackingConfig())
        probs_NK = predict_model(store, model, images)
        names = [model_classes_of(store, model).names[k] for k in probs_NK.argmax(1)]

    Args:
        store: holds the model.
        model: a network or an ensemble.
        images: uint8 N x H x W or N x H x W x 3, as stored in its data set.

    Returns:
        Probabilities N x K (0..1), columns in the order of the model's classes.

    Raises:
        StoreError: the model or one of its members is missing or damaged, or an ensemble is of an
            older version.
    """
    if len(images) >= _MANY_IMAGES and uses_cluster():
        from fer_models.remote.call import Place, call_on_node

        place = Place(f"prediction with {model.name}", "placement", PlacementConfig())
        return call_on_node(place, predict_model, store, model, images)
    if model.kind != ENSEMBLE:
        network, preprocessing = load_network(store, model)
        return predict_probabilities(network, preprocessing, images)
    combination, members = read_combination(store, model)
    parts = (member_ref(store, member.model_id, member.name) for member in members)
    return combination.predict(np.stack([predict_model(store, part, images) for part in parts]))


def member_ref(store: ArtifactStore, model_id: str, name: str) -> ModelRef:
    """Reference to the stored network with this id."""
    return store.ref(ModelRef, model_id, name=name)


def load_network(
    store: ArtifactStore, model: ModelRef | FoldRef
) -> tuple[nn.Module, Preprocessing]:
    """Load the network of a model or of a fold (evaluation mode, on the CPU) and its preprocessing.

    Raises:
        StoreError: the model is missing or damaged, or is an ensemble.
    """
    if isinstance(model, ModelRef) and model.kind == ENSEMBLE:
        raise StoreError(f"{model.url}: expected a network, got an ensemble; use predict_model")
    from safetensors.torch import load_file

    member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
    preprocessing: Preprocessing = json.loads(store.read_file(model, "preprocessing.json"))
    weights = load_file(store.fetch(model, "weights.safetensors"))
    with torch.random.fork_rng(devices=[]):
        network = build_empty_network(member.network, len(preprocessing["classes"]))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise StoreError(
            f"{model.url}: the weights do not fit the network {member.network.name} of this "
            f"version ({str(error).splitlines()[0]}); retrain the model"
        ) from error
    network = network.to(memory_format=torch.channels_last)
    return network.eval(), preprocessing


def predict_probabilities(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: Images,
    batch_size: int | None = None,
    threads: int | None = None,
    on_batch: Callable[[int], None] | None = None,
) -> Probabilities:
    """Class probabilities of a network, the mean over its TTA views; computed in float32.

    The network runs on the GPU if there is one and is moved back to the CPU afterwards.

    Example:
        network, preprocessing = load_network(store, model)
        probs_NK = predict_probabilities(network, preprocessing, images)

    Args:
        network: returns logits.
        preprocessing: input size, normalisation and TTA views of the network.
        images: uint8 N x H x W or N x H x W x 3, as stored in its data set.
        batch_size: images per forward pass; by default `eval_batch_size`.
        threads: CPU threads, see `training_threads`.
        on_batch: called after every batch but the last with the number of images done.

    Returns:
        Probabilities N x K (0..1), columns in the order of `preprocessing["classes"]`.
    """
    device = best_device()
    network = network.eval().to(device)
    try:
        with limited_threads(threads):
            size = batch_size or eval_batch_size(preprocessing["image_size_px"], device)
            parts, done = [], 0
            for part in _batch_probabilities(network, preprocessing, images, size, device):
                parts.append(part)
                done += len(part)
                if on_batch is not None and done < len(images):
                    on_batch(done)
    finally:
        network.cpu()
    return np.concatenate([np.zeros((0, len(preprocessing["classes"])), np.float32), *parts])


def _batch_probabilities(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: Images,
    batch_size: int,
    device: torch.device,
) -> Iterable[Probabilities]:
    for start in range(0, len(images), batch_size):
        with torch.inference_mode():
            batch = as_float(uint8_tensor(images[start : start + batch_size], device))
            view_probs = [
                torch.softmax(network(to_inputs(view, preprocessing)).float(), dim=1)
                for view in tta_views(batch, preprocessing.get("tta", "none"))
            ]
            yield torch.stack(view_probs).mean(0).cpu().numpy()
