"""The tables that the checks run on; everything computed from pixels is a column of them.

`images` holds all N images of a snapshot, `kept` those not in quarantine, `validation` and `test`
the kept images of these splits. `splits` and `classes` have one row per split or class, `summary`
has a single row, and `drift` (`validation.drift.checks`) one row per statistic. The first column of
the last four is `name`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.image_stats import grey_sums
from fer_models.dataset.snapshot import (
    KEPT,
    MANIFEST_DTYPES,
    SPLITS,
    UNASSIGNED,
    DatasetSnapshot,
    Images,
    first_of_group,
    pixel_sha256,
)
from fer_models.labels import VOTE_COLUMNS, FerPlusVote
from fer_models.progress import report

_BLOCK_IMAGES = 4096
IMAGE_TABLES = ("images", "kept", "validation", "test")

_OF_IMAGES = (
    *MANIFEST_DTYPES,
    "mean",
    "std",
    "actual_sha256",
    "first_position",
    "num_votes",
    "num_missing_votes",
    "not_face_votes",
)
_OF_KEPT = (
    *_OF_IMAGES,
    "is_copy",
    "conflicting_labels",
    "in_train",
    "in_validation",
    "has_split",
)
# The columns of each table; custom expectations may use them. `drift` needs a reference.
COLUMNS: dict[str, tuple[str, ...]] = {
    "images": _OF_IMAGES,
    "kept": _OF_KEPT,
    "validation": _OF_KEPT,
    "test": _OF_KEPT,
    "splits": ("name", "images"),
    "classes": ("name", "images", "splits_without"),
    "summary": (
        *("name", "images", "labelled", "train", "needs_train", "imbalance"),
        "splits_without_labels",
    ),
    "drift": ("name", "distance", "chance", "detail", "drift"),
}


def build_tables(snapshot: DatasetSnapshot) -> dict[str, pd.DataFrame]:
    """All tables of a snapshot except `drift`, by name."""
    images = snapshot.manifest.assign(**image_columns(snapshot.images, snapshot.thumbnails))
    images["first_position"] = first_of_group(images["actual_sha256"])
    votes = images[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)
    images["num_votes"] = votes.clip(min=0).sum(axis=1)
    images["num_missing_votes"] = (votes < 0).sum(axis=1)
    images["not_face_votes"] = votes[:, FerPlusVote.NF]
    kept = _with_relations(images[images["status"] == KEPT].reset_index(drop=True))
    held_out = {split: kept[kept["split"] == split] for split in ("validation", "test")}
    return {
        "images": images,
        "kept": kept,
        **held_out,
        "splits": _splits(kept),
        "classes": _classes(kept, snapshot.classes),
        "summary": _summary(images, kept, snapshot.classes),
    }


def image_columns(images: Images, thumbnails: Images) -> dict[str, npt.NDArray[Any]]:
    """Pixel sha256 of each image; mean and standard deviation (0..255) of its thumbnail."""
    digests: list[str] = []
    for _, block in _blocks(images):
        digests += pixel_sha256(block)
        report("validate", len(digests), len(images), "images")
    mean, std = means_and_stds(thumbnails)
    return {"mean": mean, "std": std, "actual_sha256": np.array(digests, dtype=object)}


def means_and_stds(
    images: Images,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and standard deviation of each image's grey values (0..255)."""
    sums = grey_sums(images)
    # Reports store distances between these, so the last bit counts.
    return sums.mean, sums.std_of_moments


def _blocks(images: Images) -> Iterator[tuple[slice, Images]]:
    """The images in blocks, to keep few of them in memory."""
    for start in range(0, len(images), _BLOCK_IMAGES):
        block = np.asarray(images[start : start + _BLOCK_IMAGES])
        yield slice(start, start + len(block)), block


def _with_relations(kept: pd.DataFrame) -> pd.DataFrame:
    """Add the relations of each image to the other kept images."""
    pixels = kept["actual_sha256"]
    labelled = kept["label"].where(kept["label"] >= 0)
    return kept.assign(
        is_copy=pixels.duplicated(keep="first"),
        conflicting_labels=labelled.groupby(pixels).transform("nunique") > 1,
        in_train=pixels.isin(pixels[kept["split"] == "train"]),
        in_validation=pixels.isin(pixels[kept["split"] == "validation"]),
        has_split=kept["split"] != UNASSIGNED,
    )


def _splits(kept: pd.DataFrame) -> pd.DataFrame:
    """One row per split with labelled images, which alone are used."""
    counts = kept.loc[kept["label"] >= 0, "split"].value_counts()
    present = [name for name in SPLITS if counts.get(name, 0)]
    return pd.DataFrame(
        {
            "name": pd.Series(present, dtype=object),
            "images": pd.Series([int(counts[name]) for name in present], dtype="int64"),
        }
    )


def _classes(kept: pd.DataFrame, classes: ClassList) -> pd.DataFrame:
    """One row per class: labelled training images, and held-out splits without the class."""
    rows = []
    held_out = [
        s for s in ("validation", "test") if ((kept["split"] == s) & (kept.label >= 0)).any()
    ]
    train = _training_labels(kept, len(classes))
    for number, name in enumerate(classes.names):
        of_class = kept[kept["label"] == number]
        missing = sum(not (of_class["split"] == split).any() for split in held_out)
        rows.append(
            {"name": name, "images": int((train == number).sum()), "splits_without": missing}
        )
    return pd.DataFrame(rows)


def _summary(images: pd.DataFrame, kept: pd.DataFrame, classes: ClassList) -> pd.DataFrame:
    labels = _training_labels(kept, len(classes)).to_numpy(dtype=np.int64)
    counts = np.bincount(labels, minlength=len(classes))
    present = counts[counts > 0]
    labelled = set(kept.loc[kept["label"] >= 0, "split"])
    unlabelled = [name for name in SPLITS if name in set(kept["split"]) - labelled]
    return pd.DataFrame(
        {
            "name": ["all images"],
            "images": [len(images)],
            "labelled": [int((kept["label"] >= 0).sum())],
            "train": [int((kept["split"] == "train").sum())],
            "needs_train": [int((kept["split"] != UNASSIGNED).any())],
            "imbalance": [float(present.max() / present.min()) if len(present) else 1.0],
            "splits_without_labels": [", ".join(unlabelled) or "none"],
        }
    )


def _training_labels(kept: pd.DataFrame, num_classes: int) -> pd.Series:
    """Labels of the training images; of all images before the split."""
    labelled = kept[kept["label"].between(0, num_classes - 1)]
    if (kept["split"] == UNASSIGNED).all():
        return labelled["label"]
    return labelled.loc[labelled["split"] == "train", "label"]
