"""Build networks by name: our own, dlib's and all of timm's. All of them return logits.

timm is imported only when one of its networks is built: the import takes seconds.
"""

import difflib
import functools
from collections.abc import Callable
from typing import Any

from torch import nn

from fer_models.errors import ConfigError
from fer_models.labels import NUM_CLASSES
from fer_models.models.checkpointing import checkpoint_gradients
from fer_models.models.config import NetworkConfig
from fer_models.models.names import DLIB_NAME
from fer_models.models.networks.compact import CompactCNN
from fer_models.models.networks.dlib_resnet import DlibResNet
from fer_models.models.networks.face_cnn import FaceCNN
from fer_models.models.networks.scratch import ScratchCNN, ScratchMLP
from fer_models.models.pretrained.dlib_weights import load_dlib
from fer_models.models.pretrained.shipped import load_shipped
from fer_models.models.probe import SIZE_ERRORS, blank_logits, first_line


def _compact_cnn(config: NetworkConfig, num_classes: int) -> nn.Module:
    return CompactCNN(config.input_channels, num_classes, config.width, config.dropout)


def _face_cnn(config: NetworkConfig, num_classes: int) -> nn.Module:
    return FaceCNN(config, num_classes)


def _scratch_cnn(config: NetworkConfig, num_classes: int) -> nn.Module:
    return ScratchCNN(
        config.input_channels, config.side_px, num_classes, config.width, config.dropout
    )


def _scratch_mlp(config: NetworkConfig, num_classes: int) -> nn.Module:
    return ScratchMLP(
        config.input_channels, config.side_px, num_classes, config.width, config.dropout
    )


def _dlib_resnet(config: NetworkConfig, num_classes: int) -> nn.Module:
    return DlibResNet(config.input_channels, num_classes, config.dropout)


_NAMED: dict[str, Callable[[NetworkConfig, int], nn.Module]] = {
    "compact_cnn": _compact_cnn,
    "face_cnn": _face_cnn,
    "scratch_cnn": _scratch_cnn,
    "scratch_mlp": _scratch_mlp,
    DLIB_NAME: _dlib_resnet,
}
OWN_NETWORKS = tuple(name for name in _NAMED if name != DLIB_NAME)
_NUM_SUGGESTIONS = 5


def build_network(config: NetworkConfig, num_classes: int = NUM_CLASSES) -> nn.Module:
    """Build a network that maps N x C x S x S images to N x K logits (never probabilities).

    Initial weights are drawn from torch's global generator: fork and seed it for repeatable ones.

    Example:
        network = build_network(NetworkConfig(name="face_cnn", width=0.5))
        logits = network(torch.randn(8, 1, 48, 48))  # 8 x 7

    Args:
        config: the architecture and its input.
        num_classes: K; by default FER2013's seven.

    Raises:
        ConfigError: the network is unknown, can't take images of that size or does not support
            gradient checkpointing, or its pretrained weights are not available.
    """
    if config.name not in _NAMED:
        network = _build_timm(config, num_classes, pretrained=config.pretrained)
    else:
        network = _NAMED[config.name](config, num_classes)
        if config.pretrained:
            load = load_dlib if config.name == DLIB_NAME else load_shipped
            load(network, config)
    if config.gradient_checkpointing:
        checkpoint_gradients(network, config.name)
    return network


def build_empty_network(config: NetworkConfig, num_classes: int = NUM_CLASSES) -> nn.Module:
    """As `build_network`, but without pretrained weights: for loading stored ones into it."""
    if config.name in _NAMED:
        return _NAMED[config.name](config, num_classes)
    return _build_timm(config, num_classes, pretrained=False)


def count_parameters(network: nn.Module) -> int:
    """Number of weights, trainable or frozen; running statistics are not counted."""
    return sum(parameter.numel() for parameter in network.parameters())


def _build_timm(config: NetworkConfig, num_classes: int, pretrained: bool) -> nn.Module:
    import timm

    from fer_models.models.pretrained.timm_weights import create_pretrained, published_weights

    if not timm.is_model(config.name):
        raise _unknown_name_error(config.name, timm.list_models())
    published_weights(config.name)  # rejects an unknown weights tag in the name
    options: dict[str, Any] = {"num_classes": num_classes, "in_chans": config.input_channels}
    if config.dropout > 0:
        options["drop_rate"] = config.dropout
    create = functools.partial(_create_timm, config, options)
    network = create_pretrained(config, create) if pretrained else create({})
    _check_size(network, config, num_classes)
    return network


def _create_timm(
    config: NetworkConfig, options: dict[str, Any], weights: dict[str, Any]
) -> nn.Module:
    import timm

    options = options | weights
    try:
        # Networks with position embeddings are built for one size; others reject the option.
        network: nn.Module = timm.create_model(config.name, img_size=config.side_px, **options)
    except TypeError:
        network = timm.create_model(config.name, **options)
    except SIZE_ERRORS as error:
        raise _size_error(config, error) from error
    return network


def _check_size(network: nn.Module, config: NetworkConfig, num_classes: int) -> None:
    try:
        logits = blank_logits(network, config.input_channels, config.side_px)
    except SIZE_ERRORS as error:
        raise _size_error(config, error) from error
    if logits.shape != (2, num_classes):
        raise ConfigError(
            f"network {config.name}: expected logits of shape (2, {num_classes}), got "
            f"{tuple(logits.shape)}; choose a classification network"
        )


def _size_error(config: NetworkConfig, error: Exception) -> ConfigError:
    return ConfigError(
        f"network {config.name} can't take {config.side_px} px images "
        f"({first_line(error)}); set network.image_size_px to a size it supports (224 for most) "
        "or choose another network"
    )


def _unknown_name_error(name: str, timm_names: list[str]) -> ConfigError:
    near = difflib.get_close_matches(name, [*_NAMED, *timm_names], n=_NUM_SUGGESTIONS, cutoff=0.5)
    suggestion = f"did you mean {', '.join(near)}?" if near else "there is no similar name."
    return ConfigError(
        f"network.name: expected {', '.join(_NAMED)} or one of timm's {len(timm_names)} networks, "
        f"got {name!r}; {suggestion} List timm's with: ferflow networks list --timm '*resnet*'"
    )
