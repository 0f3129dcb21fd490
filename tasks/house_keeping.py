"""The removal of what nothing in the store needs any more."""

from typing import Any

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.collect import collect
from fer_models.storage.upkeep.config import RetentionConfig
from fer_models.storage.upkeep.plan import plan_collection
from fer_models.storage.upkeep.sizes import measure_store
from tasks.artifacts.publish import publish_table
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(found: dict[str, Any], parameters: Parameters) -> None:
    sizes = measure_store(ArtifactStore(parameters["store"]))
    kinds = [
        {"kind": one.kind, "number": one.count, "MB": one.num_bytes / 1e6} for one in sizes.kinds
    ]
    publish_table("store-size", kinds, f"The store now: {sizes.num_bytes / 1e6:.1f} MB")
    rows = [
        {"what": "artifacts", "number": len(found["artifacts"])},
        {"what": "runs", "number": len(found["runs"])},
        {"what": "cached results", "number": found["results"]},
        {"what": "leftovers", "number": found["leftovers"]},
    ]
    done = "Deleted" if found["deleted"] else "Would be deleted with retention.delete=true"
    publish_table("house-keeping", rows, f"{done}: {found['bytes'] / 1e6:.1f} MB")


@stage("fer_models.storage.upkeep.collect", cached=False, publish=_publish)
def house_keeping(retention: RetentionConfig, store: StoreConfig) -> dict[str, Any]:
    """Delete what nothing needs, or only find it; what was found, as JSON values."""
    act = collect if retention.delete else plan_collection
    return act(ArtifactStore(store), retention).as_json() | {"deleted": retention.delete}
