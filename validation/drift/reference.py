"""The reference snapshot: earlier data that new data is held against."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, open_snapshot
from fer_models.errors import ConfigError
from fer_models.labels import NUM_CLASSES, UNLABELLED
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from validation.tables import means_and_stds

_SHOWN_IDS = 10


@dataclass(frozen=True)
class Sample:
    """What drift is measured on: the images that are not in quarantine (M of them)."""

    labels: npt.NDArray[np.int64]
    """Class numbers 0..6, or -1 where there is none."""
    means: npt.NDArray[np.float64]
    """Mean grey value of each image, 0..255."""
    stds: npt.NDArray[np.float64]
    """Standard deviation of each image's grey values."""
    num_copies: int
    """Images with the pixels of an earlier one."""


@dataclass(frozen=True)
class Comparison:
    """The images of a snapshot, and those of the reference that they should look like."""

    reference_id: str
    reference: Sample
    now: Sample


def compare(
    store: ArtifactStore, wanted: str, snapshot: DatasetSnapshot, kept: pd.DataFrame
) -> Comparison:
    """The samples to hold against each other.

    Args:
        store: where the reference lies.
        wanted: its id, or the start of it.
        snapshot: what is validated.
        kept: its table of that name (`validation.tables`).

    Raises:
        ConfigError: no snapshot, or several, have an id that starts so.
        StoreError: the reference can't be read.
    """
    reference = open_reference(store, wanted, snapshot.info["step"])
    now = Sample(
        labels=_classes_of(kept["label"]),
        means=kept["mean"].to_numpy(dtype=np.float64),
        stds=kept["std"].to_numpy(dtype=np.float64),
        num_copies=int(kept["is_copy"].sum()),
    )
    return Comparison(reference.ref.id, sample_of(reference), now)


def find_reference(store: ArtifactStore, wanted: str) -> SnapshotRef:
    """The one snapshot whose id starts with `wanted` (a whole URL is understood, too).

    Raises:
        ConfigError: none or several do.
        StoreError: the store can't be read.
    """
    ids = store.list_ids(SnapshotRef)
    start = wanted.rstrip("/").rpartition("/")[2]
    found = [start] if start in ids else [one for one in ids if one.startswith(start)]
    if len(found) != 1:
        state = "none does" if not found else f"{len(found)} do"
        there = ", ".join(one[:12] for one in (found or ids)[:_SHOWN_IDS]) or "none at all"
        raise ConfigError(
            f"validation.reference {wanted!r}: expected one snapshot in {store.url} whose id "
            f"starts so, {state}; there are: {there}"
        )
    return SnapshotRef(id=found[0], url=f"{store.url}/{SnapshotRef.folder}/{found[0]}")


def open_reference(store: ArtifactStore, wanted: str, step: str) -> DatasetSnapshot:
    """Open the reference as it was after the same step as the snapshot that is looked at.

    A raw snapshot has the copies that a cleaned one has not: like is compared with like. Where
    the reference has no ancestor of that step, it is taken as it is.
    """
    named = ref = find_reference(store, wanted)
    while True:
        info = store.info(ref)
        if info["step"] == step:
            return open_snapshot(store, ref)
        parent = info.get("parent")
        if not parent:
            return open_snapshot(store, named)
        ref = SnapshotRef(id=parent, url=f"{store.url}/{SnapshotRef.folder}/{parent}")
        if not store.exists(ref):
            return open_snapshot(store, named)


def sample_of(snapshot: DatasetSnapshot) -> Sample:
    """What drift is measured on, of a whole snapshot."""
    table = snapshot.manifest
    kept = np.flatnonzero((table["status"] == KEPT).to_numpy())
    means, stds = means_and_stds(snapshot.images)
    return Sample(
        labels=_classes_of(table["label"].iloc[kept]),
        means=means[kept],
        stds=stds[kept],
        num_copies=int(table["pixel_sha256"].iloc[kept].duplicated().sum()),
    )


def _classes_of(labels: pd.Series) -> npt.NDArray[np.int64]:
    numbers = labels.to_numpy(dtype=np.int64)
    return np.where((numbers >= 0) & (numbers < NUM_CLASSES), numbers, UNLABELLED)
