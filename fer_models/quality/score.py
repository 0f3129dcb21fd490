"""Scoring: what networks that never learned from an image think of its label.

N images. The scores are an artifact of their own: cleaning that uses them is exact arithmetic, so
the same scores and rules give the same cleaned snapshot on every machine.
"""

import hashlib
import io
import json

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.labels import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from fer_models.lineage import lineage, package_version
from fer_models.progress import report
from fer_models.quality.config import ScoringConfig
from fer_models.quality.folds import Integers, assign_folds, join_groups
from fer_models.quality.label_quality import doubted_labels, label_quality
from fer_models.quality.scores import PROBABILITY_COLUMNS, SCORES_FILE
from fer_models.source_hash import source_hash
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore, default_cache_dir

# Its source, and that of all it imports, is part of what a result depends on.
_ENTRY = "fer_models.quality.score"

HELD_OUT_FOLD = -1
_HELD_OUT = ("validation", "test")
_DECIMALS = 6
# Correlation of aligned pictures; as in the default of cleaning.
_SAME_PICTURE = 0.95


def score_labels(
    store: ArtifactStore, snapshot: SnapshotRef, config: ScoringConfig, seed: int
) -> ScoresRef:
    """Judge every image of a snapshot by networks that never learned from it.

    Training images (and those without a split) are dealt out to folds, copies together; each fold
    is judged by a network trained on the others. Images of the held-out splits are judged by all
    networks together.

    Args:
        store: holds the snapshot, takes the scores.
        snapshot: any snapshot; images in quarantine are judged, but not learned from.
        config: folds and quick model.
        seed: of folds and trainings.

    Returns:
        The artifact with `scores.parquet` (`open_scores`). The same snapshot, config, seed and
        library find the scores that were made before.

    Raises:
        DataError: too few labelled training images to make folds of.
        TrainingError: a training failed.
        StoreError: the snapshot can't be read or the scores can't be written.
    """
    key = scoring_key(snapshot, config, seed)
    known = ScoresRef(id=key, url=f"{store.url}/{ScoresRef.folder}/{key}")
    if store.exists(known):
        return known
    from fer_models.quality.non_faces import face_scores
    from fer_models.quality.out_of_fold import out_of_fold_probabilities
    from fer_models.training.checkpoint_dir import checkpoint_dir

    opened = open_snapshot(store, snapshot)
    folds = _folds(opened, config, seed)
    labels = opened.manifest["label"].to_numpy(dtype=np.int64)
    with checkpoint_dir(key, default_cache_dir() / "scoring") as work:
        probabilities = out_of_fold_probabilities(
            opened.images, labels, folds, config, seed, work.path
        )
        learned = folds[0] >= 0
        table = _score_table(opened.manifest, labels, learned, probabilities)
        report("score", 0, 0, note="looking for faces")
        first = ~opened.manifest["pixel_sha256"].duplicated().to_numpy()
        table["face_score"] = face_scores(opened.images, np.flatnonzero(learned & first))
        facts = _facts(table, labels, learned)
        files = {SCORES_FILE: _parquet(table), "lineage.json": _lineage(snapshot, config, seed)}
        made = store.put(ScoresRef, key, files, {"snapshot_id": snapshot.id, **facts})
        work.remove()
    return made


def scoring_key(snapshot: SnapshotRef, config: ScoringConfig, seed: int) -> str:
    """Name of the scores by what they depend on (24 hex)."""
    parts = {
        "snapshot": snapshot.id,
        "config": config.model_dump(mode="json"),
        "seed": seed,
        "source": source_hash(_ENTRY),
        "torch": package_version("torch"),
        "cleanlab": package_version("cleanlab"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def _folds(snapshot: DatasetSnapshot, config: ScoringConfig, seed: int) -> Integers:
    manifest = snapshot.manifest
    learned = (
        ~manifest["split"].isin(_HELD_OUT)
        & (manifest["label"] != UNLABELLED)
        & (manifest["status"] == KEPT)
    ).to_numpy()
    rows = np.flatnonzero(learned)
    counts = np.bincount(manifest["label"].to_numpy(dtype=np.int64)[rows], minlength=NUM_CLASSES)
    problems = [
        f"class {name}: expected at least {config.folds} labelled training images, got {count}"
        for name, count in zip(CLASS_NAMES, counts.tolist(), strict=True)
        if 0 < count < config.folds
    ]
    if len(rows) < 2 * config.folds:
        problems.append(
            f"expected at least {2 * config.folds} labelled training images, got {len(rows)}"
        )
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id[:12]} has too few images to score labels in "
            f"{config.folds} folds; add images, or set scoring.folds lower or "
            "scoring.enabled=false",
            problems,
        )
    folds = np.full((config.repeats, len(manifest)), HELD_OUT_FOLD, dtype=np.int64)
    labels = manifest["label"].to_numpy(dtype=np.int64)[rows]
    names = _group_names(snapshot, rows)
    for repeat in range(config.repeats):
        folds[repeat, rows] = assign_folds(names, labels, config.folds, seed + repeat)
    return folds


def _group_names(snapshot: DatasetSnapshot, rows: Integers) -> pd.Series:
    """Of each row: one name for all images that show the same picture."""
    names = snapshot.manifest["pixel_sha256"].iloc[rows].reset_index(drop=True)
    unique = np.flatnonzero(~names.duplicated().to_numpy())
    nobody = np.empty(0, dtype=np.int64)
    found = find_near_duplicates(snapshot.images, nobody, rows[unique], _SAME_PICTURE, "score")
    place = np.full(len(snapshot.manifest), -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return join_groups(names, place[found.copies], place[found.originals])


def _score_table(
    manifest: pd.DataFrame,
    labels: Integers,
    learned: npt.NDArray[np.bool_],
    probabilities: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """Quality of all labels; confident learning looks at the training images only."""
    table = pd.DataFrame({"image_id": manifest["image_id"], "out_of_fold": learned})
    table[list(PROBABILITY_COLUMNS)] = np.round(probabilities, _DECIMALS)
    table["label_quality"] = 1.0
    table["suggested_label"] = probabilities.argmax(axis=1)
    table["is_label_issue"] = False
    known = np.flatnonzero(labels != UNLABELLED)
    quality, suggested = label_quality(labels[known], probabilities[known])
    table.loc[known, "label_quality"] = quality
    table.loc[known, "suggested_label"] = suggested
    rows = np.flatnonzero(learned)
    table.loc[rows, "is_label_issue"] = doubted_labels(labels[rows], probabilities[rows])
    return table


def _facts(
    table: pd.DataFrame, labels: Integers, learned: npt.NDArray[np.bool_]
) -> dict[str, object]:
    guessed = table[list(PROBABILITY_COLUMNS)].to_numpy().argmax(axis=1)
    return {
        "num_images": len(table),
        "num_judged": int((labels >= 0).sum()),
        "accuracy_out_of_fold": float((guessed == labels)[learned].mean()),
        "label_issues": int(table.loc[learned, "is_label_issue"].sum()),
    }


def _lineage(snapshot: SnapshotRef, config: ScoringConfig, seed: int) -> bytes:
    facts = lineage(snapshot.id, seed) | {"config": config.model_dump(mode="json")}
    return json.dumps(facts, indent=1, sort_keys=True).encode()


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
