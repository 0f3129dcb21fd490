"""Ingest the sources into a raw dataset snapshot."""

from collections.abc import Mapping
from typing import Any

from fer_models.ingest.config import DataConfig
from fer_models.ingest.ingest import fingerprint_sources, ingest_sources
from fer_models.progress import listening
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import LabelledRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import snapshot_rows
from tasks.completion import Parameters
from tasks.listeners import LogListener
from tasks.stage import stage


def _sources_fingerprint(parameters: Mapping[str, Any]) -> str:
    # Sources in a bucket are downloaded here, which may take a while.
    with listening(LogListener()):
        return fingerprint_sources(parameters["config"], parameters["seed"])


def _publish(snapshot: SnapshotRef, parameters: Parameters) -> None:
    rows = snapshot_rows(ArtifactStore(parameters["store"]), snapshot)
    publish_table("ingest", rows, "Images by class, before cleaning")


@stage("fer_models.ingest.ingest", cache_key_extra=_sources_fingerprint, publish=_publish)
def ingest(
    config: DataConfig, seed: int, store: StoreConfig, labelled: LabelledRef | None = None
) -> SnapshotRef:
    """Read all sources, in order, and the faces that people labelled, into one raw snapshot.

    The content of the sources is part of the cache key: a changed file is ingested again.
    """
    return ingest_sources(ArtifactStore(store), config, seed, labelled)
