"""The initial weights of a training, as part of its cache key."""

from collections.abc import Mapping
from typing import Any


def weights_fingerprint(parameters: Mapping[str, Any]) -> str:
    """Fingerprint of the pretrained weights: the same name may refer to other weights later."""
    network = parameters["member"].network
    if not network.pretrained:
        return "random"
    from fer_models.models.pretrained.start import pretrained_fingerprint

    return str(pretrained_fingerprint(network))
