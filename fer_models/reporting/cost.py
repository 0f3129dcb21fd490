"""What a model costs: multiply-adds of a prediction."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

_CONFIG_FILE = "config.json"


def multiply_adds(store: ArtifactStore, model_ids: Sequence[str]) -> int | None:
    """Multiply-adds of stored networks together, for one image without test-time augmentation.

    Returns:
        None if one of the networks can't be built by this version.
    """
    counts = [_of_network(store, model_id) for model_id in model_ids]
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _of_network(store: ArtifactStore, model_id: str) -> int | None:
    model = store.ref(ModelRef, model_id, name=model_id)
    if _CONFIG_FILE not in store.describe(model).files:
        return None
    described: dict[str, Any] = store.read_json(model, _CONFIG_FILE)
    try:
        config = NetworkConfig.model_validate(described.get("network"))
        return _counted(config)
    except (ValidationError, ConfigError):
        return None


def _counted(config: NetworkConfig) -> int:
    from fer_models.models.summary import summarize

    # The weights don't matter for the count, and their folder may be elsewhere.
    plain = config.model_copy(update={"pretrained": False, "weights_dir": None})
    return summarize(plain, depth=1).multiply_adds
