"""The weights that ferflow ships, as a start for trainings of its own networks on other faces.

They were trained on FER2013's Training images. A new classifier takes the place of theirs, so any
number of classes can be trained.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable

from torch import Tensor, nn

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.freezing import classifier_of

_SHIPPED: Traversable = resources.files("fer_models") / "weights"


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
    file = known.get((config.name, config.width))
    if file is None:
        offers = " or ".join(
            f"network.name={name} and network.width={width:g}" for name, width in known
        )
        raise ConfigError(
            f"network {config.name} of width {config.width:g}: there are no pretrained weights for "
            f"it; set network.pretrained=false, or {offers or 'another network'}, or choose one of "
            "timm's networks"
        )
    return _SHIPPED / file


@functools.cache
def shipped_networks() -> Mapping[tuple[str, float], str]:
    """The weights file of each shipped network, by name and width."""
    if not _SHIPPED.is_dir():
        return {}
    found: dict[tuple[str, float], str] = {}
    for entry in sorted(_SHIPPED.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".json"):
            network = json.loads(entry.read_text())["member"]["network"]
            key = (str(network["name"]), float(network["width"]))
            found[key] = entry.name.removesuffix(".json") + ".safetensors"
    return found


def _fitted(stored: Tensor, wanted: Tensor) -> Tensor:
    """Stored weights, with the channels of the first layer repeated where more are wanted."""
    if stored.shape == wanted.shape:
        return stored
    channels = wanted.shape[1]
    return stored.expand(-1, channels, -1, -1) / channels
