"""Give every image its split."""

from fer_models.data.config import SplittingConfig
from fer_models.data.split import split_snapshot
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.publish import publish_table
from tasks.stage import stage
from tasks.tables import snapshot_rows


@stage("fer_models.data.split")
def split(
    snapshot: SnapshotRef, config: SplittingConfig, seed: int, store: StoreConfig
) -> SnapshotRef:
    """Settle train, validation and test."""
    artifacts = ArtifactStore(store)
    divided = split_snapshot(artifacts, snapshot, config, seed)
    publish_table("dataset", snapshot_rows(artifacts, divided), "Images kept, by class")
    return divided
