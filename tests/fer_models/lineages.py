"""Models whose weights come from other ones, without a training."""

import hashlib
import json

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import (
    DatasetSnapshot,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore


def with_lineage(store: ArtifactStore, model: ModelRef, **facts: object) -> ModelRef:
    """A copy of a network or an ensemble whose lineage says more."""
    described = store.describe(model)
    files = {name: entry for name, entry in described.files.items() if name != "lineage.json"}
    lineage = store.read_json(model, "lineage.json") | facts
    content = json.dumps(lineage).encode()
    return store.put(
        ModelRef,
        f"{model.id}-{hashlib.sha256(content).hexdigest()[:6]}",
        {"lineage.json": content},
        described.info,
        files,
        name=model.name,
        kind=model.kind,
    )


def with_members(store: ArtifactStore, model: ModelRef, *members: ModelRef) -> ModelRef:
    """An ensemble with the predictions of a network, which consists of these members."""
    described = store.describe(model)
    listing = [{"model_id": one.id, "name": one.name} for one in members]
    return store.put(
        ModelRef,
        f"{model.id}-ensemble",
        {"members.json": json.dumps(listing).encode()},
        {**described.info, "kind": "ensemble"},
        described.files,
        name=model.name,
        kind="ensemble",
    )


def moved(
    store: ArtifactStore, snapshot: DatasetSnapshot, positions: npt.NDArray[np.int64], split: str
) -> SnapshotRef:
    """The same images, of which those at some positions are in another split."""
    manifest = snapshot.manifest.copy()
    manifest.loc[positions, "split"] = split
    return write_snapshot(store, manifest, np.asarray(snapshot.images), "split")


def brightened(
    store: ArtifactStore, snapshot: DatasetSnapshot, positions: npt.NDArray[np.int64], split: str
) -> DatasetSnapshot:
    """The same images, of which those at some positions are brighter and in another split."""
    images, manifest = np.array(snapshot.images), snapshot.manifest.copy()
    images[positions] = np.clip(images[positions].astype(int) + 25, 0, 255).astype(np.uint8)
    manifest.loc[positions, "split"] = split
    manifest["pixel_sha256"] = pixel_sha256(images)
    manifest["duplicate_group"] = first_of_group(manifest["pixel_sha256"])
    return open_snapshot(store, write_snapshot(store, manifest, images, "split"))
