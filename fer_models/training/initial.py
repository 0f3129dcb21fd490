"""Start a training from the weights of a stored network."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fer_models.classes.class_list import ClassList
from fer_models.errors import ConfigError, StoreError
from fer_models.models.config import ARCHITECTURE, NetworkConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from torch import Tensor

# Settings of a network that its weights depend on.
_ARCHITECTURE = {
    "image_size_px": "side_px",
    "in_channels": "input_channels",
    **{name: name for name in ARCHITECTURE},
}


def why_not_initial(
    store: ArtifactStore, initial: ModelRef, network: NetworkConfig, classes: ClassList
) -> str:
    """Why a network can't start from the weights of a stored one; "" if it can.

    Both need the same architecture, number of channels and classes in the same order. The input
    size may differ where no weights depend on it, as in convolutional networks.
    """
    try:
        config = json.loads(store.read_file(initial, "config.json"))
        preprocessing = json.loads(store.read_file(initial, "preprocessing.json"))
        stored = NetworkConfig.model_validate(config.get("network", {}))
    except (StoreError, ValueError) as error:
        return f"{initial.id} can't be read ({str(error).splitlines()[0]})"
    if tuple(preprocessing["classes"]) != classes.names:
        return f"{initial.id} has other classes ({', '.join(preprocessing['classes'])})"
    differences = {
        name: f"{name} {getattr(stored, value)}, not {getattr(network, value)}"
        for name, value in _ARCHITECTURE.items()
        if getattr(stored, value) != getattr(network, value)
    }
    if differences.keys() == {"image_size_px"} and _have_equal_shapes(stored, network):
        return ""
    named = "; ".join(differences.values())
    return f"{initial.id} is another network: {named}" if differences else ""


def _have_equal_shapes(stored: NetworkConfig, network: NetworkConfig) -> bool:
    import torch

    from fer_models.models.factory import build_empty_network

    with torch.device("meta"):  # shapes without memory
        first, second = (build_empty_network(one).state_dict() for one in (stored, network))
    return {name: one.shape for name, one in first.items()} == {
        name: one.shape for name, one in second.items()
    }


def initial_weights(
    store: ArtifactStore, initial: ModelRef, network: NetworkConfig, classes: ClassList
) -> "Mapping[str, Tensor]":
    """The weights of a stored network that `network` starts from.

    Raises:
        ConfigError: it is another network.
        StoreError: it is missing or damaged.
    """
    from safetensors.torch import load_file

    store.describe(initial)  # a missing one is an error of its own
    reason = why_not_initial(store, initial, network, classes)
    if reason:
        raise ConfigError(
            f"expected initial weights of the network {network.name}, but {reason}; pass a "
            "model of the same network as `initial`, or leave `initial` out"
        )
    return load_file(store.fetch(initial, "weights.safetensors"))
