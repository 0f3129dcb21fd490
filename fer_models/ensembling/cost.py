"""What a prediction costs: multiply-adds per image, the same on every machine.

Images per second would differ from one measurement to the next, and the id of a selection is a
hash of its content.
"""

from pydantic import ValidationError

from fer_models.errors import ConfigError
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA, MemberConfig


def multiply_adds(store: ArtifactStore, network: ModelRef) -> int | None:
    """Multiply-adds of a stored network per image, over all its TTA views.

    None if this version can't build the network.

    Raises:
        StoreError: the network is missing or damaged.
    """
    from fer_models.models.summary import summarize

    try:
        member = MemberConfig.model_validate_json(store.read_file(network, "config.json"))
        return summarize(member.network, depth=1).multiply_adds * count_views(member.tta)
    except (ConfigError, ValidationError):
        return None


def count_views(tta: TTA) -> int:
    """The number of forward passes of a network per image."""
    import torch

    from fer_models.training.inputs.tta import tta_views

    return sum(1 for _ in tta_views(torch.zeros(1, 1, 8, 8), tta))
