"""Embeddings of faces: what a network's last layer receives.

N images, D features.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fer_models.dataset.snapshot import Images
from fer_models.evaluation.predictions import networks_of
from fer_models.models.freezing import classifier_of
from fer_models.storage.refs import ENSEMBLE, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.inputs.batches import as_float, to_inputs, uint8_tensor
from fer_models.training.inputs.data import Preprocessing
from fer_models.training.predict import load_network
from fer_models.training.runtime import best_device

Floats = npt.NDArray[np.float64]
_BATCH = 512


def largest_network(store: ArtifactStore, model: ModelRef) -> ModelRef:
    """The model itself, or the member of an ensemble with the most parameters.

    Raises:
        StoreError: a member is missing.
    """
    if model.kind != ENSEMBLE:
        return model
    return max(networks_of(store, model), key=lambda ref: int(store.info(ref)["parameters"]))


def embed(store: ArtifactStore, network_ref: ModelRef, images: Images) -> Floats:
    """The inputs of the network's last linear layer, N x D.

    Example:
        features_ND = embed(store, largest_network(store, champion), images)

    Raises:
        StoreError: the network is missing or damaged, or is an ensemble.
        ConfigError: the network has no linear layer.
    """
    network, preprocessing = load_network(store, network_ref)
    classifier = classifier_of(network, "retraining.drift")
    received: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Any, ...]) -> None:
        received.append(inputs[0].detach().float().flatten(start_dim=1).cpu())

    hook = classifier.register_forward_pre_hook(keep)
    try:
        _run(network, preprocessing, images)
    finally:
        hook.remove()
        network.cpu()
    if not received:
        return np.zeros((0, classifier.in_features))
    return torch.cat(received).numpy().astype(np.float64)


def standardise(reference: Floats, *others: Floats) -> list[Floats]:
    """All samples, shifted and scaled so that each feature of the reference has mean 0 and std 1.

    Features that are constant in the reference are only shifted.
    """
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    return [(sample - mean) / std for sample in (reference, *others)]


def distances_to_reference(reference_MD: Floats, recent_ND: Floats, neighbours: int = 5) -> Floats:
    """Mean distance of each recent image to its nearest reference images, N; higher is further."""
    neighbours = min(neighbours, len(reference_MD))
    squared = (
        np.sum(recent_ND**2, axis=1)[:, None]
        + np.sum(reference_MD**2, axis=1)[None, :]
        - 2 * recent_ND @ reference_MD.T
    )
    nearest = np.partition(np.maximum(squared, 0.0), neighbours - 1, axis=1)[:, :neighbours]
    distances: Floats = np.sqrt(nearest).mean(axis=1)
    return distances


def _run(network: nn.Module, preprocessing: Preprocessing, images: Images) -> None:
    device = best_device()
    network = network.eval().to(device)
    with torch.inference_mode():
        for start in range(0, len(images), _BATCH):
            batch = as_float(uint8_tensor(images[start : start + _BATCH], device))
            network(to_inputs(batch, preprocessing))
