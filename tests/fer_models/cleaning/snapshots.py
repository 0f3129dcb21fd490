"""Small hand-made snapshots, one line per image."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import (
    KEPT,
    MANIFEST_DTYPES,
    NO_VOTE,
    QUARANTINED,
    Images,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.labels import CLASS_NAMES, VOTE_COLUMNS, Expression
from fer_models.quality.scores import PAIRS_FILE, SCORES_FILE
from fer_models.storage.refs import ScoresRef, SnapshotRef
from fer_models.storage.store import ArtifactStore


@dataclass(frozen=True)
class Face:
    """One image: equal `picture` means equal pixels; votes by FER+ column name without prefix."""

    split: str
    label: int
    picture: int
    votes: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


def picture(number: int) -> Images:
    """A 48 x 48 picture with contrast, different for each number."""
    rng = np.random.default_rng(number)
    cells = rng.integers(0, 256, size=(12, 12), dtype=np.uint8)
    return np.repeat(np.repeat(cells, 4, axis=0), 4, axis=1)


def manifest_of(faces: Sequence[Face], images: Images) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "image_id": [f"hand/{row:06d}" for row in range(len(faces))],
            "source": "hand",
            "row": np.arange(len(faces)),
            "path": "",
            "split": [face.split for face in faces],
            "label": [face.label for face in faces],
            "pixel_sha256": pixel_sha256(images),
            "status": [QUARANTINED if face.reason else KEPT for face in faces],
            "reason": [face.reason for face in faces],
        }
    )
    for column in VOTE_COLUMNS:
        name = column.removeprefix("votes_")
        table[column] = [face.votes.get(name, 0 if face.votes else NO_VOTE) for face in faces]
    table["duplicate_group"] = first_of_group(table["pixel_sha256"])
    return table[list(MANIFEST_DTYPES)].astype(MANIFEST_DTYPES)


def snapshot_of(
    store: ArtifactStore, faces: Sequence[Face], images: Images | None = None
) -> SnapshotRef:
    if images is None:
        images = np.stack([picture(face.picture) for face in faces])
    return write_snapshot(store, manifest_of(faces, images), images, "ingest")


def scores_of(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    quality: Sequence[float],
    face_score: Sequence[float] | None = None,
    is_issue: Sequence[bool] | None = None,
    suggested: int = Expression.FEAR,
    pairs: pd.DataFrame | None = None,
) -> ScoresRef:
    """Hand-made scores of a snapshot, one value per image; `pairs` as scoring aligns them."""
    manifest = open_snapshot(store, snapshot).manifest
    table = pd.DataFrame({"image_id": manifest["image_id"], "out_of_fold": True})
    for name in CLASS_NAMES:
        table[f"p_{name}"] = 0.1
    table["label_quality"] = quality
    table["suggested_label"] = int(suggested)
    table["is_label_issue"] = False if is_issue is None else list(is_issue)
    table["face_score"] = 1.0 if face_score is None else list(face_score)
    files = {SCORES_FILE: parquet(table)}
    if pairs is not None:
        files[PAIRS_FILE] = parquet(pairs)
    name = "by-hand" if pairs is None else "with-pairs"
    return store.put(ScoresRef, name, files, {"snapshot_id": snapshot.id})


def parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()
