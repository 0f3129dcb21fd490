"""The weights of a network by name and shape, without the memory that they would take."""

import torch

from fer_models.errors import ConfigError
from fer_models.labels import NUM_CLASSES
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network


def state_shapes(
    config: NetworkConfig, num_classes: int = NUM_CLASSES
) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's state dict; the network is built on torch's meta device.

    Example:
        state_shapes(NetworkConfig(name="face_cnn"))["stem.0.weight"]  # (48, 1, 6, 6)

    Raises:
        ConfigError: the network is unknown, or can't take images of that size.
    """
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                network = build_empty_network(config, num_classes)
        except (ConfigError, RuntimeError, TypeError, NotImplementedError):
            # Some networks need the values of tensors while they are built. If the network itself
            # is at fault, this raises the error that says so.
            network = build_empty_network(config, num_classes)
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}
