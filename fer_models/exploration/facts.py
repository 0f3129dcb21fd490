"""What a snapshot says of its images, beyond the pixels: classes, splits, quarantine, copies.

N images, K = 7 classes. `given` is the label as it came, `label` the one in force: cleaning may
have changed it. "Before" is every image with a given label, "after" the kept ones with a label.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.cleaning.state import LABEL_ERROR
from fer_models.dataset.snapshot import (
    KEPT,
    SPLITS,
    UNASSIGNED,
    DatasetSnapshot,
    open_table,
)
from fer_models.labels import CLASS_NAMES, NUM_CLASSES, UNLABELLED
from fer_models.storage.store import ArtifactStore

NO_SPLIT = "unassigned"
TRAIN, *HELD_OUT = SPLITS
_DECISIONS = "decisions"
# What cleaning adds to the manifest -> what holds where it did not (fully) run.
_UNDECIDED: dict[str, Any] = {
    "score": 1.0,
    "evidence": 1.0,
    "suggested_label": UNLABELLED,
    "related_id": "",
    "probability": np.nan,
    "suggested_probability": np.nan,
}
Mask = npt.NDArray[np.bool_]


def image_rows(store: ArtifactStore, snapshot: DatasetSnapshot) -> pd.DataFrame:
    """The manifest (N rows, same order) joined with what cleaning decided, where it did.

    Added columns: `given`, `kept` (boolean), and those of `_UNDECIDED`; `split` is `unassigned`
    where there is none.

    Raises:
        StoreError: the table of decisions is damaged.
    """
    rows = snapshot.manifest.copy()
    given = rows[["image_id"]].assign(**_UNDECIDED, given=rows["label"])
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
    """The splits that have images, in the order train, validation, test, unassigned."""
    present = set(rows["split"])
    return [name for name in (*SPLITS, NO_SPLIT) if name in present]


def class_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """One record a class.

    Keys: `class`, `before`, `quarantined`, `relabelled_to` and `relabelled_from` (kept images
    that came to the class, or left it, by a new label), `after` (= before - quarantined -
    relabelled_from + relabelled_to), and `splits`: `before` and `after` of each split.
    """
    kept = rows["kept"].to_numpy()
    given, label = rows["given"].to_numpy(), rows["label"].to_numpy()
    moved = kept & (given != label)
    counts = {
        "before": _count(given),
        "quarantined": _count(given[~kept]),
        "relabelled_from": _count(given[moved]),
        "relabelled_to": _count(label[moved]),
        "after": _count(label[kept]),
    }
    by_split = {name: _split_counts(rows[rows["split"] == name]) for name in splits_of(rows)}
    return [
        {
            "class": name,
            **{what: int(values[number]) for what, values in counts.items()},
            "splits": {
                split: {"before": int(before[number]), "after": int(after[number])}
                for split, (before, after) in by_split.items()
            },
        }
        for number, name in enumerate(CLASS_NAMES)
    ]


def reason_table(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """One record a reason for quarantine, the commonest first: `reason`, `images`, `splits`."""
    held = rows[~rows["kept"]]
    counts = held["reason"].value_counts()
    return [
        {
            "reason": reason,
            "images": int(count),
            "splits": {
                split: int(((held["reason"] == reason) & (held["split"] == split)).sum())
                for split in splits_of(rows)
            },
        }
        for reason, count in sorted(counts.items(), key=lambda item: (-int(item[1]), str(item[0])))
    ]


def copy_facts(rows: pd.DataFrame, label: str) -> dict[str, int]:
    """Images with the very same pixels.

    Args:
        rows: the images to look at.
        label: the column of labels (`given` or `label`).

    Returns:
        `copies` (images that repeat an earlier one), `groups` of identical images,
        `conflicting_groups` with more than one label, and `leaks`: validation and test images
        that also stand in training.
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
    """Groups of identical images with more than one label, those with most images first."""
    labelled = rows[rows[label] != UNLABELLED]
    table = labelled.groupby("duplicate_group")[label].agg(["nunique", "size"])
    table = table[table["nunique"] > 1].reset_index()
    table = table.sort_values(["size", "duplicate_group"], ascending=[False, True])
    return [int(group) for group in table["duplicate_group"]]


def relabelled(rows: pd.DataFrame) -> Mask:
    """Kept images (N booleans) whose label in force is another than the one that came."""
    return (rows["kept"] & (rows["given"] != rows["label"])).to_numpy()


def label_errors(rows: pd.DataFrame) -> Mask:
    """Images (N booleans) that cleaning set aside because their label looks wrong."""
    return (~rows["kept"] & (rows["reason"] == LABEL_ERROR)).to_numpy()


def near_copies(rows: pd.DataFrame) -> Mask:
    """Images (N booleans) set aside as copies of a related image that has other pixels."""
    pixels = rows.set_index("image_id")["pixel_sha256"]
    known = rows["related_id"].isin(pixels.index)
    related = rows["related_id"].map(pixels)
    return (~rows["kept"] & known & (related != rows["pixel_sha256"])).to_numpy()


def _split_counts(rows: pd.DataFrame) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return _count(rows["given"].to_numpy()), _count(rows["label"].to_numpy()[rows["kept"]])


def _count(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return np.bincount(labels[labels >= 0], minlength=NUM_CLASSES).astype(np.int64)
