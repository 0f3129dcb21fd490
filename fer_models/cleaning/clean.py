"""Cleaning: defects go to quarantine, each with its reason and its scores; nothing is deleted."""

import numpy as np
import pandas as pd

from fer_models.cleaning.config import CleaningConfig
from fer_models.cleaning.rules import apply_rules
from fer_models.cleaning.state import BY_PERSON, CleaningState, Rows, as_it_came
from fer_models.dataset.snapshot import open_snapshot, open_tables, write_snapshot
from fer_models.quality.scores import open_scores
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
    """Put defective training images in quarantine, as the rules and people say.

    The result has the same rows and pixels; `status`, `reason` and the label of relabelled images
    differ, and a table `decisions` says of each image what was decided (see
    `CleaningState.decisions`). Further tables of the snapshot are carried on. A snapshot that was
    cleaned before is cleaned anew from how it came, so nothing adds up.

    Args:
        store: holds everything.
        snapshot: any snapshot.
        config: policy and thresholds.
        scores: label and face scores of the same images; without them the rules that need them
            are silent.
        decisions: what people decided; it outweighs the rules, but no one can keep a leak.

    Raises:
        DataError: people decided about test images, or the scores are of other images.
        StoreError: an artifact is absent or damaged, or the store can't be written.
    """
    opened = open_snapshot(store, snapshot)
    tables = open_tables(store, snapshot)
    manifest = as_it_came(opened.manifest, tables.get(DECISIONS))
    state = CleaningState(manifest, opened.images, _scores(store, scores, snapshot, manifest))
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


def _scores(
    store: ArtifactStore, scores: ScoresRef | None, snapshot: SnapshotRef, manifest: pd.DataFrame
) -> pd.DataFrame | None:
    return None if scores is None else open_scores(store, scores, snapshot, manifest)


def _apply_decisions(
    state: CleaningState, store: ArtifactStore, decisions: DecisionsRef | None
) -> dict[str, object]:
    """Do what people decided, and tell how much of it found its image."""
    if decisions is None:
        return {}
    matched = match_decisions(state.manifest, open_decisions(store, decisions))
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
    """The rows and all their exact copies outside the test: else a copy would take the place."""
    pixels = state.manifest["pixel_sha256"]
    same = pixels.isin(pixels.iloc[rows]).to_numpy() & (state.role != "test")
    return np.flatnonzero(same).astype(np.int64)
