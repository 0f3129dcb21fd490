"""Read the sources into a raw dataset snapshot."""

from collections.abc import Mapping
from typing import Any

from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import snapshot_rows
from tasks.stage import stage


def _content_of_sources(parameters: Mapping[str, Any]) -> str:
    return fingerprint_sources(parameters["config"], parameters["seed"])


@stage("fer_models.ingest.ingest", cache_key_extra=_content_of_sources)
def ingest(config: DataConfig, seed: int, store: StoreConfig) -> SnapshotRef:
    """Read all sources, in order, into one raw snapshot."""
    artifacts = ArtifactStore(store)
    snapshot = ingest_sources(artifacts, config, seed)
    publish_table("ingest", snapshot_rows(artifacts, snapshot), "Images by class, as they came")
    return snapshot
