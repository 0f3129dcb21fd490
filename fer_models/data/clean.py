"""Cleaning: defects go to quarantine, each with its reason; nothing is deleted."""

from fer_models.data.cleaning_rules import Review, review
from fer_models.data.config import CleaningConfig
from fer_models.data.snapshot import open_snapshot, open_tables, write_snapshot
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

DECISIONS = "decisions"


def clean_snapshot(
    store: ArtifactStore, snapshot: SnapshotRef, config: CleaningConfig
) -> SnapshotRef:
    """Put defective images in quarantine.

    The result has the same rows and pixels; only `status` and `reason` differ, and a table
    `decisions` says of each image what was decided (see `Review.decisions`). Further tables of the
    snapshot are carried on. Cleaning a cleaned snapshot gives that same snapshot.

    Raises:
        StoreError: the snapshot is absent or damaged, or the store can't be written.
    """
    opened = open_snapshot(store, snapshot)
    tables = open_tables(store, snapshot)
    state = Review(opened.manifest, opened.images, tables.get(DECISIONS))
    before = int(state.kept.sum())
    review(state, config)
    return write_snapshot(
        store,
        state.cleaned_manifest(),
        opened.images,
        step="clean",
        parent=snapshot,
        tables={**tables, DECISIONS: state.decisions()},
        info={"policy": config.policy, "newly_quarantined": before - int(state.kept.sum())},
    )
