"""What a prediction with a stored model costs."""

from pydantic import ValidationError

from fer_models.errors import ConfigError, StoreError
from fer_models.evaluation.predictions import model_ref
from fer_models.promotion.gate.evidence import ModelCost
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

_MEMBERS_FILE = "members.json"


def model_cost(store: ArtifactStore, model: ModelRef) -> ModelCost:
    """Parameters, and multiply-adds over all members and their views of test-time augmentation.

    Networks are built without weights, which takes about a second each.

    Raises:
        StoreError: the model is missing or damaged.
    """
    parameters = store.info(model).get("parameters")
    return ModelCost(
        parameters=None if parameters is None else int(parameters),
        multiply_adds=_multiply_adds(store, model),
    )


def _multiply_adds(store: ArtifactStore, model: ModelRef) -> int | None:
    total = 0
    for network in _networks(store, model):
        cost = _network_multiply_adds(store, network)
        if cost is None:
            return None
        total += cost
    return total


def _networks(store: ArtifactStore, model: ModelRef) -> list[ModelRef]:
    """The networks that an ensemble calls, or the network itself."""
    if _MEMBERS_FILE not in store.describe(model).files:
        return [model]
    members = store.read_json(model, _MEMBERS_FILE)
    return [model_ref(store, str(one["model_id"])) for one in members if one.get("weight", 1)]


def _network_multiply_adds(store: ArtifactStore, model: ModelRef) -> int | None:
    """None if this version does not know the network."""
    from fer_models.models.summary import summarize
    from fer_models.training.config import MemberConfig
    from fer_models.training.inputs.tta import num_views

    try:
        member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
        views = num_views(str(store.read_json(model, "preprocessing.json").get("tta", "none")))
        return summarize(member.network, depth=1).multiply_adds * views
    except (ConfigError, StoreError, ValidationError):
        return None
