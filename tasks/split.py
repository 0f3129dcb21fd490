"""Assign every image to a split."""

from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.split import split_snapshot
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import snapshot_rows
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(snapshot: SnapshotRef, parameters: Parameters) -> None:
    rows = snapshot_rows(ArtifactStore(parameters["store"]), snapshot)
    publish_table("dataset", rows, "Images kept, by class")


@stage("fer_models.dataset.split", publish=_publish)
def split(
    snapshot: SnapshotRef, config: SplittingConfig, seed: int, store: StoreConfig
) -> SnapshotRef:
    """Assign the kept images to train, validation and test."""
    return split_snapshot(ArtifactStore(store), snapshot, config, seed)
