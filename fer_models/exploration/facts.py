"""Statistics of the manifest: classes, splits, quarantine and duplicates.

N images, K classes. `given` is the original label, `label` the current one, which cleaning may
have changed. "Before" counts all images by original label, "after" kept images by current label.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import (
    KEPT,
    LABEL_ERROR,
    SPLITS,
    UNASSIGNED,
    DatasetSnapshot,
    open_table,
)
from fer_models.labels import UNLABELLED
from fer_models.storage.store import ArtifactStore

NO_SPLIT = "unassigned"
TRAIN, *HELD_OUT = SPLITS
_DECISIONS = "decisions"
# Columns of the table of cleaning decisions, and their defaults where cleaning did not run.
_DEFAULTS: dict[str, Any] = {
    "score": 1.0,
    "evidence": 1.0,
    "suggested_label": UNLABELLED,
    "related_id": "",
    "probability": np.nan,
    "suggested_probability": np.nan,
}
Mask = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]


def image_rows(store: ArtifactStore, snapshot: DatasetSnapshot) -> pd.DataFrame:
    """The manifest (N rows, same order), joined with the cleaning decisions if there are any.

    Added columns: `given`, `kept` (boolean) and those of `_DEFAULTS`. An empty `split` becomes
    `unassigned`.

    Raises:
        StoreError: the table of cleaning decisions is damaged.
    """
    rows = snapshot.manifest.copy()
    given = rows[["image_id"]].assign(**_DEFAULTS, given=rows["label"])
    if f"{_DECISIONS}.parquet" in store.describe(snapshot.ref).files:
        decisions = open_table(store, snapshot.ref, _DECISIONS).rename(columns={"label": "given"})
        known = [name for name in given.columns if name in decisions.columns]
        decided = rows[["image_id"]].merge(
            decisions[known], on="image_id", how="left", validate="one_to_one"
        )
        given[known] = decided[known]
    rows = rows.merge(given, on="image_id", how="left", validate="one_to_one")
    rows["given"] = rows["given"].astype("int64")
    rows["label"] = rows["label"].astype("int64")
    rows["suggested_label"] = rows["suggested_label"].astype("int64")
    return rows.assign(
        kept=rows["status"] == KEPT, split=rows["split"].replace(UNASSIGNED, NO_SPLIT)
    )


def splits_of(rows: pd.DataFrame) -> list[str]:
    """The non-empty splits, in the order train, validation, test, unassigned."""
    present = set(rows["split"])
    return [name for name in (*SPLITS, NO_SPLIT) if name in present]


def class_table(rows: pd.DataFrame, classes: ClassList) -> list[dict[str, Any]]:
    """One record per class.

    Keys: `class`, `before`, `quarantined`, `relabelled_to` and `relabelled_from` (kept images
    whose new label moved them into or out of the class), `after` (= before - quarantined -
    relabelled_from + relabelled_to), and `splits` with `before` and `after` of each split.
    """
    kept = rows["kept"].to_numpy()
    given, label = rows["given"].to_numpy(), rows["label"].to_numpy()
    moved = kept & (given != label)
    counts = {
        "before": _count(given, classes),
        "quarantined": _count(given[~kept], classes),
        "relabelled_from": _count(given[moved], classes),
        "relabelled_to": _count(label[moved], classes),
        "after": _count(label[kept], classes),
    }
    by_split = {
        name: _split_counts(rows[rows["split"] == name], classes) for name in splits_of(rows)
    }
    return [
        {
            "class": name,
            **{key: int(values[number]) for key, values in counts.items()},
            "splits": {
                split: {"before": int(before[number]), "after": int(after[number])}
                for split, (before, after) in by_split.items()
            },
        }
        for number, name in enumerate(classes.names)
    ]


def reason_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """One record per quarantine reason, most frequent first: `reason`, `images`, `splits`."""
    quarantined = rows[~rows["kept"]]
    counts = quarantined["reason"].value_counts()
    return [
        {
            "reason": reason,
            "images": int(count),
            "splits": {
                split: int(
                    ((quarantined["reason"] == reason) & (quarantined["split"] == split)).sum()
                )
                for split in splits_of(rows)
            },
        }
        for reason, count in sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
    ]


def duplicate_counts(rows: pd.DataFrame, label: str) -> dict[str, int]:
    """Counts of images with identical pixels.

    Args:
        rows: the images to count.
        label: the label column, `given` or `label`.

    Returns:
        `copies`: images that duplicate an earlier one.
        `groups`: groups of identical images.
        `conflicting_groups`: such groups with more than one label.
        `leaks`: validation and test images that are also in training.
    """
    group = rows["duplicate_group"]
    in_training = group[rows["split"] == TRAIN]
    held_out = group[rows["split"].isin(HELD_OUT)]
    sizes = group.value_counts()
    return {
        "copies": len(rows) - len(sizes),
        "groups": int((sizes > 1).sum()),
        "conflicting_groups": len(conflicting_groups(rows, label)),
        "leaks": int(held_out.isin(in_training).sum()),
    }


def conflicting_groups(rows: pd.DataFrame, label: str) -> list[int]:
    """Groups of identical images with more than one label, the largest first."""
    labelled = rows[rows[label] != UNLABELLED]
    table = labelled.groupby("duplicate_group")[label].agg(["nunique", "size"])
    table = table[table["nunique"] > 1].reset_index()
    table = table.sort_values(["size", "duplicate_group"], ascending=[False, True])
    return [int(group) for group in table["duplicate_group"]]


def relabelled(rows: pd.DataFrame) -> Mask:
    """Kept images whose current label differs from the original one (N booleans)."""
    return (rows["kept"] & (rows["given"] != rows["label"])).to_numpy()


def label_errors(rows: pd.DataFrame) -> Mask:
    """Images quarantined because their label looks wrong (N booleans)."""
    return (~rows["kept"] & (rows["reason"] == LABEL_ERROR)).to_numpy()


def near_duplicates(rows: pd.DataFrame) -> Mask:
    """Images quarantined as near duplicates of an image with different pixels (N booleans)."""
    pixels = rows.set_index("image_id")["pixel_sha256"]
    known = rows["related_id"].isin(pixels.index)
    related = rows["related_id"].map(pixels)
    return (~rows["kept"] & known & (related != rows["pixel_sha256"])).to_numpy()


def _split_counts(rows: pd.DataFrame, classes: ClassList) -> tuple[Counts, Counts]:
    kept = rows["kept"]
    given, label = rows["given"].to_numpy(), rows["label"].to_numpy()
    return _count(given, classes), _count(label[kept], classes)


def _count(labels: npt.NDArray[np.int64], classes: ClassList) -> Counts:
    return np.bincount(labels[labels >= 0], minlength=len(classes)).astype(np.int64)
