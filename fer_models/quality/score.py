"""Label scoring: out-of-fold predictions, label quality and face scores of a snapshot.

N images. The scores are a separate artifact. Cleaning from them is exact arithmetic, so the same
scores and rules give the same cleaned snapshot on every machine.
"""

import io

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.config import NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.copies import group_copies
from fer_models.dataset.folds import Integers, assign_folds
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.labels import UNLABELLED
from fer_models.lineage import lineage, package_version
from fer_models.progress import report
from fer_models.quality.config import ScoringConfig
from fer_models.quality.label_quality import label_issues, label_quality
from fer_models.quality.scores import PAIRS_FILE, SCORES_FILE, probability_columns
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_bytes, json_key
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore, default_cache_dir
from fer_models.storage.upkeep.present import Inputs

# The source of this module and its imports is part of the key of a result.
_ENTRY = "fer_models.quality.score"

HELD_OUT_FOLD = -1
_HELD_OUT = ("validation", "test")
_DECIMALS = 6


def score_labels(
    store: ArtifactStore, snapshot: SnapshotRef, config: ScoringConfig, seed: int
) -> ScoresRef:
    """Score every image of a snapshot with networks that were not trained on it.

    Training images (and those without a split) are distributed over folds, copies together. Each
    fold is predicted by a network trained on the other folds, all other images by the mean of all
    networks.

    Args:
        store: holds the snapshot; the scores are written to it.
        snapshot: any snapshot; quarantined images are predicted, but never trained on.
        config: folds and quick model.
        seed: of folds and trainings.

    Returns:
        The artifact with `scores.parquet` (see `open_scores`) and the aligned image pairs (see
        `open_similarities`). The same snapshot, config, seed and library return existing scores.

    Raises:
        DataError: too few labelled training images for the folds.
        TrainingError: a training failed.
        StoreError: the snapshot can't be read or the scores can't be written.

    Example:
        store = ArtifactStore(StoreConfig(url="artifacts"))
        raw = ingest_sources(store, DataConfig(sources=("fer2013.csv",)), seed=0)
        scores = score_labels(store, raw, ScoringConfig(), seed=0)
        table = open_scores(store, scores, raw, open_snapshot(store, raw).manifest)
        table.sort_values("label_quality").head(20)
    """
    key = scoring_key(snapshot, config, seed)
    existing = store.ref(ScoresRef, key)
    if store.reuse(existing):
        return existing
    from fer_models.quality.non_faces import face_scores
    from fer_models.quality.out_of_fold import out_of_fold_probabilities
    from fer_models.training.checkpoint_dir import checkpoint_dir

    opened = open_snapshot(store, snapshot)
    cache = SimilarityCache(opened.manifest["pixel_sha256"])
    folds = _folds(opened, config, seed, cache)
    labels = opened.manifest["label"].to_numpy(dtype=np.int64)
    with checkpoint_dir(key, default_cache_dir() / "scoring") as work:
        probabilities = out_of_fold_probabilities(
            opened.thumbnails, labels, folds, config, seed, work.path, opened.classes.names
        )
        in_folds = folds[0] >= 0
        table = _score_table(opened, labels, in_folds, probabilities)
        report("score", 0, 0, note="face scores")
        first = ~opened.manifest["pixel_sha256"].duplicated().to_numpy()
        table["face_score"] = face_scores(opened.thumbnails, np.flatnonzero(in_folds & first))
        _align_for_cleaning(opened, cache)
        files = {
            SCORES_FILE: _parquet(table),
            PAIRS_FILE: _parquet(cache.table()),
            "lineage.json": _lineage(snapshot, config, seed),
        }
        Inputs(store, [snapshot], "the scoring of its labels").require()
        facts = {"snapshot_id": snapshot.id, **_facts(table, labels, in_folds, opened.classes)}
        scores = store.put(ScoresRef, key, files, facts)
        work.remove()
    return scores


def scoring_key(snapshot: SnapshotRef, config: ScoringConfig, seed: int) -> str:
    """Id of the scores: a hash of everything they depend on (24 hex)."""
    parts = {
        "snapshot": snapshot.id,
        "config": config.model_dump(mode="json", exclude={"placement"}),
        "seed": seed,
        "source": source_hash(_ENTRY),
        "torch": package_version("torch"),
        "cleanlab": package_version("cleanlab"),
    }
    return json_key(parts)


def _folds(
    snapshot: DatasetSnapshot, config: ScoringConfig, seed: int, cache: SimilarityCache
) -> Integers:
    manifest = snapshot.manifest
    rows = np.flatnonzero(
        ~manifest["split"].isin(_HELD_OUT)
        & (manifest["label"] != UNLABELLED)
        & (manifest["status"] == KEPT)
    )
    _check_fold_sizes(snapshot, rows, config)
    folds = np.full((config.repeats, len(manifest)), HELD_OUT_FOLD, dtype=np.int64)
    labels = manifest["label"].to_numpy(dtype=np.int64)[rows]
    names = _group_names(snapshot, rows, cache)
    for repeat in range(config.repeats):
        folds[repeat, rows] = assign_folds(names, labels, config.folds, seed + repeat)
    return folds


def _check_fold_sizes(snapshot: DatasetSnapshot, rows: Integers, config: ScoringConfig) -> None:
    manifest, classes = snapshot.manifest, snapshot.classes
    counts = np.bincount(manifest["label"].to_numpy(dtype=np.int64)[rows], minlength=len(classes))
    problems = [
        f"class {name}: expected at least {config.folds} labelled training images, got {count}"
        for name, count in zip(classes.names, counts.tolist(), strict=True)
        if 0 < count < config.folds
    ]
    if len(rows) < 2 * config.folds:
        problems.append(
            f"expected at least {2 * config.folds} labelled training images, got {len(rows)}"
        )
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id[:12]} has too few images to score labels in "
            f"{config.folds} folds; add images, lower scoring.folds or set scoring.enabled=false",
            problems,
        )


def _group_names(snapshot: DatasetSnapshot, rows: Integers, cache: SimilarityCache) -> pd.Series:
    """Group name of each row; exact copies and near duplicates share one."""
    names = snapshot.manifest["pixel_sha256"].iloc[rows].reset_index(drop=True)
    # The smallest hash is a name that does not depend on the order of the images.
    return names.groupby(group_copies(snapshot, rows, "score", cache)).transform("min")


def _align_for_cleaning(snapshot: DatasetSnapshot, cache: SimilarityCache) -> None:
    """Fill the cache with the pairs that cleaning will compare, so that cleaning takes seconds."""
    manifest = snapshot.manifest
    kept, held_out = manifest["status"] == KEPT, manifest["split"].isin(_HELD_OUT)
    held_rows, rows = np.flatnonzero(kept & held_out), np.flatnonzero(kept & ~held_out)
    pixels = manifest["pixel_sha256"].iloc[np.concatenate([held_rows, rows])]
    is_first = ~pixels.duplicated().to_numpy()[len(held_rows) :]
    find_near_duplicates(
        snapshot.thumbnails, held_rows, rows[is_first], NEAR_DUPLICATE_SIMILARITY, "score", cache
    )


def _score_table(
    snapshot: DatasetSnapshot,
    labels: Integers,
    in_folds: npt.NDArray[np.bool_],
    probabilities: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """Quality of all labels; confident learning uses the training images only."""
    table = pd.DataFrame({"image_id": snapshot.manifest["image_id"], "out_of_fold": in_folds})
    table[probability_columns(snapshot.classes)] = np.round(probabilities, _DECIMALS)
    table["label_quality"] = 1.0
    table["suggested_label"] = probabilities.argmax(axis=1)
    table["is_label_issue"] = False
    labelled = np.flatnonzero(labels != UNLABELLED)
    quality, suggested = label_quality(labels[labelled], probabilities[labelled])
    table.loc[labelled, "label_quality"] = quality
    table.loc[labelled, "suggested_label"] = suggested
    rows = np.flatnonzero(in_folds)
    table.loc[rows, "is_label_issue"] = label_issues(labels[rows], probabilities[rows])
    return table


def _facts(
    table: pd.DataFrame, labels: Integers, in_folds: npt.NDArray[np.bool_], classes: ClassList
) -> dict[str, object]:
    predicted = table[probability_columns(classes)].to_numpy().argmax(axis=1)
    return {
        "num_images": len(table),
        "num_judged": int((labels >= 0).sum()),
        "accuracy_out_of_fold": float((predicted == labels)[in_folds].mean()),
        "label_issues": int(table.loc[in_folds, "is_label_issue"].sum()),
    }


def _lineage(snapshot: SnapshotRef, config: ScoringConfig, seed: int) -> bytes:
    facts = lineage(snapshot.id, seed) | {"config": config.model_dump(mode="json")}
    return json_bytes(facts, allow_nan=True)


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
