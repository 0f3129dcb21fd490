"""What a training starts from, as a part of its cache key."""

from collections.abc import Mapping
from typing import Any


def content_of_weights(parameters: Mapping[str, Any]) -> str:
    """Other pretrained weights under the same name are another training."""
    network = parameters["member"].network
    if not network.pretrained:
        return "random"
    from fer_models.models.pretrained import pretrained_fingerprint

    return str(pretrained_fingerprint(network))
