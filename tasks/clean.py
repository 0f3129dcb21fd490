"""Quarantine training images that a model should not be trained on."""

from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DecisionsRef, ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.publish import publish_table
from tasks.artifacts.tables import reason_rows
from tasks.completion import Parameters
from tasks.stage import stage


def _publish(cleaned: SnapshotRef, parameters: Parameters) -> None:
    rows = reason_rows(ArtifactStore(parameters["store"]), cleaned)
    publish_table("cleaning", rows, "Quarantined images by reason")


@stage("fer_models.cleaning.clean", publish=_publish)
def clean(
    snapshot: SnapshotRef,
    scores: ScoresRef | None,
    decisions: DecisionsRef | None,
    config: CleaningConfig,
    store: StoreConfig,
) -> SnapshotRef:
    """Quarantine copies, leaks, wrong labels and unusable images; nothing is deleted."""
    return clean_snapshot(ArtifactStore(store), snapshot, config, scores, decisions)
