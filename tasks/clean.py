"""Quarantine training images that a model should not be trained on."""

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DecisionsRef, ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import reason_rows
from tasks.stage import stage


@stage("fer_models.cleaning.clean")
def clean(
    snapshot: SnapshotRef,
    scores: ScoresRef | None,
    decisions: DecisionsRef | None,
    config: CleaningConfig,
    store: StoreConfig,
) -> SnapshotRef:
    """Quarantine copies, leaks, wrong labels and unusable images; nothing is deleted."""
    artifacts = ArtifactStore(store)
    cleaned = clean_snapshot(artifacts, snapshot, config, scores, decisions)
    publish_table("cleaning", reason_rows(artifacts, cleaned), "Quarantined images by reason")
    return cleaned
