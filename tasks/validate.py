"""Check a snapshot, and hold back one that fails."""

from fer_models.data.config import ValidationConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from tasks.publish import publish_table
from tasks.stage import stage
from tasks.tables import validation_rows
from validation.gate import enforce_gate, validate_snapshot


@stage("validation.gate")
def validate(snapshot: SnapshotRef, config: ValidationConfig, store: StoreConfig) -> ValidationRef:
    """Run every check on the snapshot; the outcome, good or bad, is an artifact."""
    artifacts = ArtifactStore(store)
    validation = validate_snapshot(artifacts, snapshot, config)
    publish_table("validation", validation_rows(artifacts, validation), "Checks of the data gate")
    return validation


@stage("validation.gate", cached=False, retries=0)
def gate(
    snapshot: SnapshotRef, validation: ValidationRef, config: ValidationConfig, store: StoreConfig
) -> SnapshotRef:
    """Let the snapshot through, or stop the flow with everything that failed."""
    enforce_gate(ArtifactStore(store), validation, config)
    return snapshot
