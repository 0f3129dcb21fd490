"""The weights that ferflow ships, as a start for trainings on other faces, and as teachers.

They were trained on FER2013's Training images. A new classifier takes the place of theirs, so any
number of classes can be trained.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple

from torch import Tensor, nn

from fer_models.errors import ConfigError
from fer_models.models.config import ARCHITECTURE, FACE_CNN_OPTIONS, NetworkConfig
from fer_models.models.freezing import classifier_of
from fer_models.models.names import (
    OWN_NAMES,
    SHIPPED,
    WEIGHTS_SUFFIX,
    read_shipped,
    shipped_names,
    shipped_teachers,
)


def load_shipped(network: nn.Module, config: NetworkConfig) -> None:
    """Load the shipped weights of a network's architecture into it, except its classifier.

    The first layer of a network with three channels gets a third of the grey weights each, so that
    a grey image gives the same features.

    Raises:
        ConfigError: no weights are shipped for this network and width.
    """
    from safetensors.torch import load

    stored = load(_weights_file(config).read_bytes())
    classifier = classifier_of(network, "network.pretrained")
    own = {id(parameter) for parameter in classifier.parameters()}
    heads = {name for name, parameter in network.named_parameters() if id(parameter) in own}
    state = network.state_dict()
    for name in state.keys() - heads:
        state[name] = _fitted(stored[name].float(), state[name])
    network.load_state_dict(state)


def shipped_fingerprint(config: NetworkConfig) -> str:
    """`sha256:<64 hex>` of the weights that `load_shipped` loads.

    Raises:
        ConfigError: no weights are shipped for this network and width.
    """
    return f"sha256:{hashlib.sha256(_weights_file(config).read_bytes()).hexdigest()}"


def check_shipped(config: NetworkConfig) -> None:
    """Check that weights are shipped for this network and width.

    Raises:
        ConfigError: there are none; says for which networks and widths there are.
    """
    _weights_file(config)


def _weights_file(config: NetworkConfig) -> Traversable:
    known = shipped_networks()
    if config.weights_dir is not None:
        raise ConfigError(
            f"network {config.name}: network.weights_dir is for timm's networks; leave it out to "
            "start from the weights that ferflow ships"
        )
    wanted = _architecture(config)
    for shipped, file in known.items():
        if _architecture(shipped) == wanted:
            return SHIPPED / file
    offers = " or ".join(_settings(shipped) for shipped in known)
    raise ConfigError(
        f"network {config.name} of width {config.width:g}: there are no pretrained weights for "
        f"it; set network.pretrained=false, or {offers or 'another network'}, or choose one of "
        "timm's networks"
    )


@functools.cache
def shipped_networks() -> Mapping[NetworkConfig, str]:
    """The weights file of each shipped network of our own; timm's start from ImageNet weights.

    Of several with the same settings it is that of the first by name.
    """
    found: dict[NetworkConfig, str] = {}
    for name in sorted(shipped_names()):
        config = NetworkConfig.model_validate(read_shipped(name)["member"]["network"])
        if config.name in OWN_NAMES:
            found.setdefault(config, name + WEIGHTS_SUFFIX)
    return found


class ShippedNetwork(NamedTuple):
    """The metadata and the weights of a shipped network, as they are stored.

    `share` is its weight in the ensemble that it is read for, 1 for a network alone.
    """

    facts: dict[str, Any]
    weights: bytes
    share: float = 1.0


def read_networks(name: str) -> list[ShippedNetwork]:
    """Read a shipped network, or those of a shipped ensemble, whose shares sum to 1.

    The shares are the weights of the ensemble's mean; equal ones for another rule.

    Raises:
        ConfigError: none of that name is shipped, or it is a final fit.
    """
    if name not in shipped_teachers():
        raise ConfigError(
            f"expected shipped weights ({', '.join(shipped_teachers()) or 'there are none'}), got "
            f"{name!r}; choose one of them"
        )
    facts = read_shipped(name)
    if "members" not in facts:
        return [ShippedNetwork(facts, (SHIPPED / f"{name}{WEIGHTS_SUFFIX}").read_bytes())]
    members, rule = facts["members"], facts["combination"]["rule"]
    weights = rule["weights"] if rule["kind"] == "mean" else [1.0] * len(members)
    return [
        ShippedNetwork(one, (SHIPPED / one["weights"]["name"]).read_bytes(), weight / sum(weights))
        for one, weight in zip(members, weights, strict=True)
    ]


def teacher_fingerprint(name: str) -> str:
    """`sha256:<64 hex>` of the shipped weights of that name; of an ensemble with its shares.

    Raises:
        ConfigError: none of that name is shipped, or it is a final fit.
    """
    networks = read_networks(name)
    digest = hashlib.sha256(networks[0].weights)
    if len(networks) > 1:
        parts = [[hashlib.sha256(one.weights).hexdigest(), one.share] for one in networks]
        digest = hashlib.sha256(json.dumps(parts).encode())
    return f"sha256:{digest.hexdigest()}"


def _architecture(config: NetworkConfig) -> dict[str, Any]:
    settings = {name: getattr(config, name) for name in ARCHITECTURE}
    if config.channels is not None:
        settings["width"] = None  # has no effect
    return settings


def _settings(config: NetworkConfig) -> str:
    """The settings of a shipped network that are not at their default."""
    chosen = {name: value for name, value in _architecture(config).items() if value is not None}
    fixed = ("name", "width")
    parts = [
        f"network.{name}={value:g}" if name == "width" else f"network.{name}={_yaml(value)}"
        for name, value in chosen.items()
        if name in fixed or value != FACE_CNN_OPTIONS[name]
    ]
    return " and ".join(parts)


def _yaml(value: Any) -> str:
    return json.dumps(value, separators=(",", ":")) if not isinstance(value, str) else value


def _fitted(stored: Tensor, wanted: Tensor) -> Tensor:
    """Stored weights, with the channels of the first layer repeated where more are wanted."""
    if stored.shape == wanted.shape:
        return stored
    channels = wanted.shape[1]
    return stored.expand(-1, channels, -1, -1) / channels
