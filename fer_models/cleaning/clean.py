"""Cleaning a snapshot: applies people's decisions and the rules, and writes the result."""

import numpy as np

from fer_models.cleaning.config import CleaningConfig
from fer_models.cleaning.rules import apply_rules
from fer_models.cleaning.state import BY_PERSON, CleaningState, Rows, uncleaned_manifest
from fer_models.dataset.snapshot import open_snapshot, open_tables, write_snapshot
from fer_models.quality.scores import open_scores, open_similarities
from fer_models.review.decisions import match_decisions, open_decisions
from fer_models.storage.refs import DecisionsRef, ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

DECISIONS = "decisions"


def clean_snapshot(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    config: CleaningConfig,
    scores: ScoresRef | None = None,
    decisions: DecisionsRef | None = None,
) -> SnapshotRef:
    """Quarantine defective training images according to the rules and to people's decisions.

    The result has the same rows and pixels. Only `status`, `reason` and the label of relabelled
    images change. The added table `decisions` records the decision about each image (see
    `CleaningState.decisions`); all other tables of the snapshot are kept. Cleaning a cleaned
    snapshot starts from its state before cleaning, so effects never accumulate.

    Args:
        store: holds all artifacts.
        snapshot: any snapshot.
        config: policy and thresholds.
        scores: label and face scores of the same images; without them the rules that need them
            are skipped.
        decisions: people's decisions; they override the rules, except that leaks are never kept.

    Raises:
        DataError: there are decisions about test images, or the scores belong to other images.
        StoreError: an artifact is missing or damaged, or the store can't be written.

    Example:
        store = ArtifactStore(StoreConfig(url="artifacts"))
        raw = ingest_sources(store, DataConfig(sources=("fer2013.csv",)), seed=0)
        scores = score_labels(store, raw, ScoringConfig(), seed=0)
        cleaned = clean_snapshot(store, raw, CleaningConfig(policy="strict"), scores)
        open_table(store, cleaned, "decisions")["reason"].value_counts()
    """
    opened = open_snapshot(store, snapshot)
    tables = open_tables(store, snapshot)
    manifest = uncleaned_manifest(opened.manifest, tables.get(DECISIONS))
    score_table = similarities = None
    if scores is not None:
        score_table = open_scores(store, scores, snapshot, manifest)
        similarities = open_similarities(store, scores, manifest)
    state = CleaningState(manifest, opened.thumbnails, score_table, similarities, opened.classes)
    facts = _apply_decisions(state, store, decisions)
    apply_rules(state, config)
    table = state.decisions()
    actions = table["action"].value_counts()
    return write_snapshot(
        store,
        state.cleaned_manifest(),
        opened.images,
        step="clean",
        parent=snapshot,
        tables={**tables, DECISIONS: table},
        info={
            "policy": config.policy,
            "scores": scores.id if scores else None,
            "actions": {str(name): int(count) for name, count in sorted(actions.items())},
            "relabelled": int((table["action"] == "relabel").sum()),
            **facts,
        },
    )


def _apply_decisions(
    state: CleaningState, store: ArtifactStore, decisions: DecisionsRef | None
) -> dict[str, object]:
    """Apply people's decisions; returns how many matched an image."""
    if decisions is None:
        return {}
    matched = match_decisions(state.manifest, open_decisions(store, decisions), state.classes)
    dropped = _with_copies(state, matched.positions[matched.actions == "drop"])
    state.quarantine(dropped, BY_PERSON)
    is_relabel = matched.actions == "relabel"
    state.relabel(matched.positions[is_relabel], matched.labels[is_relabel], BY_PERSON)
    state.keep(matched.positions[matched.actions == "keep"])
    return {
        "people_decisions": decisions.id,
        "people_decisions_version": decisions.version,
        "people_decided": len(matched.positions),
        "people_unmatched": len(matched.unmatched),
    }


def _with_copies(state: CleaningState, rows: Rows) -> Rows:
    """The rows and their exact copies (not in test), one of which would replace them otherwise."""
    pixels = state.manifest["pixel_sha256"]
    same = pixels.isin(pixels.iloc[rows]).to_numpy() & (state.role != "test")
    return np.flatnonzero(same).astype(np.int64)
