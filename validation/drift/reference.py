"""The reference snapshot: earlier data that new data is compared with."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, open_snapshot
from fer_models.errors import ConfigError
from fer_models.labels import UNLABELLED
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from validation.drift.statistics import class_counts
from validation.tables import means_and_stds

_SHOWN_IDS = 10


@dataclass(frozen=True)
class Sample:
    """The data that drift is measured on: M images, without those in quarantine."""

    labels: npt.NDArray[np.int64]
    """Class numbers 0..K-1, or -1 for unlabelled images."""
    means: npt.NDArray[np.float64]
    """Mean grey value of each image, 0..255."""
    stds: npt.NDArray[np.float64]
    """Standard deviation of each image's grey values."""
    num_copies: int
    """Number of images with the pixels of an earlier image."""
    classes: ClassList = FER2013_CLASSES

    @property
    def class_counts(self) -> npt.NDArray[np.int64]:
        """Labelled images per class (K numbers)."""
        return class_counts(self.labels, len(self.classes))


@dataclass(frozen=True)
class Comparison:
    """The samples of a snapshot and of its reference."""

    reference_id: str
    reference: Sample
    now: Sample

    @property
    def has_same_classes(self) -> bool:
        """Whether both have the same classes, in any order."""
        return have_same_classes(self.reference, self.now)


def have_same_classes(first: Sample, second: Sample) -> bool:
    """Whether two samples have the same classes, in any order."""
    return set(first.classes.names) == set(second.classes.names)


def compare(
    store: ArtifactStore, wanted: str, snapshot: DatasetSnapshot, kept: pd.DataFrame
) -> Comparison:
    """Sample a snapshot and its reference.

    Args:
        store: the store of the reference.
        wanted: the reference's id, or its beginning.
        snapshot: the validated snapshot.
        kept: the snapshot's table `kept` (`validation.tables`).

    Raises:
        ConfigError: no snapshot, or more than one, has an id with that beginning.
        StoreError: the reference can't be read.
    """
    reference = open_reference(store, wanted, snapshot.info["step"])
    now = Sample(
        labels=_classes_of(kept["label"], snapshot.classes),
        means=kept["mean"].to_numpy(dtype=np.float64),
        stds=kept["std"].to_numpy(dtype=np.float64),
        num_copies=int(kept["is_copy"].sum()),
        classes=snapshot.classes,
    )
    before = sample_of(reference)
    if have_same_classes(before, now):
        before = _renumbered(before, now.classes)
    return Comparison(reference.ref.id, before, now)


def find_reference(store: ArtifactStore, wanted: str) -> SnapshotRef:
    """The snapshot whose id starts with `wanted`; a full URL works as well.

    Raises:
        ConfigError: no id, or more than one, starts with `wanted`.
        StoreError: the store can't be read.
    """
    ids = store.list_ids(SnapshotRef)
    prefix = wanted.rstrip("/").rpartition("/")[2]
    matches = [prefix] if prefix in ids else [known for known in ids if known.startswith(prefix)]
    if len(matches) != 1:
        shown = ", ".join(one[:12] for one in (matches or ids)[:_SHOWN_IDS]) or "none"
        found = (
            f"{len(matches)} snapshot ids in {store.url} start with it: {shown}; use a longer one"
            if matches
            else f"no snapshot id in {store.url} starts with it; snapshots: {shown}"
        )
        raise ConfigError(f"validation.reference {wanted!r}: {found}")
    return store.ref(SnapshotRef, matches[0])


def open_reference(store: ArtifactStore, wanted: str, step: str) -> DatasetSnapshot:
    """Open the reference, or its ancestor that was written by `step`.

    A raw snapshot still has the copies that cleaning removes, so snapshots of the same step are
    compared. A reference without an ancestor of that step is used as it is.
    """
    named = ref = find_reference(store, wanted)
    while True:
        info = store.info(ref)
        if info["step"] == step:
            return open_snapshot(store, ref)
        parent = info.get("parent")
        if not parent:
            return open_snapshot(store, named)
        ref = store.ref(SnapshotRef, parent)
        if not store.exists(ref):
            return open_snapshot(store, named)


def sample_of(snapshot: DatasetSnapshot) -> Sample:
    """The sample of a whole snapshot."""
    table = snapshot.manifest
    kept = np.flatnonzero((table["status"] == KEPT).to_numpy())
    means, stds = means_and_stds(snapshot.thumbnails)
    return Sample(
        labels=_classes_of(table["label"].iloc[kept], snapshot.classes),
        means=means[kept],
        stds=stds[kept],
        num_copies=int(table["pixel_sha256"].iloc[kept].duplicated().sum()),
        classes=snapshot.classes,
    )


def _renumbered(sample: Sample, classes: ClassList) -> Sample:
    """The sample with the class numbers of another list of the same classes."""
    numbers = [classes.names.index(name) for name in sample.classes.names]
    # The last entry is that of -1.
    number_of = np.array([*numbers, UNLABELLED], dtype=np.int64)
    return replace(sample, labels=number_of[sample.labels], classes=classes)


def _classes_of(labels: pd.Series, classes: ClassList) -> npt.NDArray[np.int64]:
    numbers = labels.to_numpy(dtype=np.int64)
    return np.where((numbers >= 0) & (numbers < len(classes)), numbers, UNLABELLED)
