"""What a prediction with a stored model costs."""

from fer_models.ensembling.cost import multiply_adds
from fer_models.evaluation.predictions import networks_of
from fer_models.promotion.gate.evidence import ModelCost
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore


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
    for network in networks_of(store, model):
        cost = multiply_adds(store, network)
        if cost is None:
            return None
        total += cost
    return total
