"""A cleaned snapshot with everything that an exploration can show, built by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import (
    KEPT,
    QUARANTINED,
    first_of_group,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import draw_faces

NUM_IMAGES = 120
COPIES, LEAK, NEAR, WRONG, BLANK, RENAMED = (1, 8), 9, 10, 11, 12, 13
RELATED = 17


def manifest_of(images: np.ndarray, labels: np.ndarray, splits: np.ndarray) -> pd.DataFrame:
    """A manifest without votes or quarantine."""
    shas = pixel_sha256(images)
    return pd.DataFrame(
        {
            "image_id": [f"hand-{i:05d}" for i in range(len(images))],
            "source": "hand",
            "row": np.arange(len(images)),
            "path": "",
            "split": splits,
            "label": labels,
            **dict.fromkeys(VOTE_COLUMNS, -1),
            "pixel_sha256": shas,
            "duplicate_group": first_of_group(pd.Series(shas)),
            "status": KEPT,
            "reason": "",
        }
    )


def plain_snapshot(
    store: ArtifactStore,
    labels: list[int],
    splits: list[str],
    manifest: Mapping[str, Any] | None = None,
    images: np.ndarray | None = None,
) -> SnapshotRef:
    """A raw snapshot of drawn faces (or the given images); `manifest` sets columns."""
    if images is None:
        images = draw_faces(np.maximum(labels, 0), 0)
    table = manifest_of(images, np.array(labels), np.array(splits))
    return write_snapshot(store, table.assign(**(manifest or {})), images, "ingest")


def cleaned_snapshot(store: ArtifactStore) -> SnapshotRef:
    """120 faces with votes, conflicting duplicates, a leak, a near duplicate and wrong labels."""
    rng = np.random.default_rng(3)
    labels = np.arange(NUM_IMAGES) % NUM_CLASSES
    images = draw_faces(labels, 3)
    splits = rng.choice(["train", "validation", "test"], NUM_IMAGES, p=(0.6, 0.2, 0.2))
    splits[: RELATED + 1] = "train"
    splits[100], splits[101] = "validation", "test"
    images[COPIES[1]] = images[COPIES[0]]
    labels[list(COPIES)] = (2, 5)
    images[LEAK] = images[101]
    images[NEAR] = np.clip(images[RELATED].astype(int) + 2, 0, 255)
    images[BLANK] = 7
    table = manifest_of(images, labels, splits)
    table[list(VOTE_COLUMNS)] = rng.multinomial(10, np.full(10, 0.1), NUM_IMAGES)
    decisions = _decisions(table)
    table.loc[RENAMED, "label"] = 4
    quarantined = decisions["action"] == "quarantine"
    table["status"] = np.where(quarantined, QUARANTINED, KEPT)
    table["reason"] = decisions["reason"].where(quarantined, "")
    return write_snapshot(store, table, images, "clean", tables={"decisions": decisions})


def _decisions(table: pd.DataFrame) -> pd.DataFrame:
    decided = table[["image_id", "source", "row", "split", "label"]].assign(
        action="keep",
        reason="",
        score=np.linspace(0.2, 1.0, len(table)),
        evidence=1.0,
        suggested_label=-1,
        related_id="",
        probability=np.nan,
        suggested_probability=np.nan,
    )
    ids = table["image_id"]
    changes: dict[int, dict[str, Any]] = {
        COPIES[0]: {"reason": "conflicting_label", "related_id": ids[COPIES[1]]},
        COPIES[1]: {"reason": "conflicting_label", "related_id": ids[COPIES[0]]},
        LEAK: {"reason": "leak", "related_id": ids[101]},
        NEAR: {"reason": "near_duplicate", "related_id": ids[RELATED], "evidence": 0.1},
        WRONG: {"reason": "label_error", "suggested_label": 6, "probability": 0.02},
        BLANK: {"reason": "blank", "evidence": 0.0},
        RENAMED: {"reason": "by_person", "action": "relabel", "suggested_label": 4},
    }
    for row, values in changes.items():
        for column, value in {"action": "quarantine", **values}.items():
            decided.loc[row, column] = value
    return decided
