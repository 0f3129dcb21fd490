"""Assign every image to a split."""

from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.split import split_snapshot
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import snapshot_rows
from tasks.stage import stage


@stage("fer_models.dataset.split")
def split(
    snapshot: SnapshotRef, config: SplittingConfig, seed: int, store: StoreConfig
) -> SnapshotRef:
    """Assign the kept images to train, validation and test."""
    artifacts = ArtifactStore(store)
    divided = split_snapshot(artifacts, snapshot, config, seed)
    publish_table("dataset", snapshot_rows(artifacts, divided), "Images kept, by class")
    return divided
