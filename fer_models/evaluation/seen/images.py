"""Which images of a snapshot were trained on, exactly or as near copies.

N images of the snapshot, P positions in it.
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.config import NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.copies import find_copies
from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.near_duplicates import find_near_duplicates
from fer_models.dataset.snapshot import KEPT, DatasetSnapshot, Images, open_snapshot, open_table
from fer_models.evaluation.seen.trainings import Training, Trainings
from fer_models.labels import UNLABELLED
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_bytes, json_key
from fer_models.storage.refs import CopiesRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
_PIXELS, _IMAGE_ID = "pixel_sha256", "image_id"
_FILE = "near_copies_of_gone.json"
_ENTRY = "fer_models.evaluation.seen.images"


def exactly_seen(
    store: ArtifactStore, snapshot: SnapshotRef, trainings: Iterable[Training]
) -> Mask:
    """Which images of a snapshot were trained on, in the order of its manifest; N bools.

    An image is known by its pixels; if the snapshots store images in different formats, by its id.
    Trainings whose snapshot is not in the store are skipped. Only manifests are read.

    Raises:
        StoreError: a snapshot is damaged.
    """
    manifest = open_table(store, snapshot, "manifest")
    seen_N = np.zeros(len(manifest), dtype=np.bool_)
    for training in _stored(store, trainings):
        other = store.ref(SnapshotRef, training.snapshot_id)
        key, table = _key(store, snapshot, other), open_table(store, other, "manifest")
        seen_N |= manifest[key].isin(set(table.loc[_learned(table, training), key])).to_numpy()
    return seen_N


def seen_with_near_copies(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    trainings: Iterable[Training],
    positions: Ints,
    stage: str,
) -> Mask:
    """Which images at P positions of a snapshot were trained on, or have a near copy that was.

    Near copies are those of `find_copies`. Images that this snapshot no longer has count as well;
    the search for their copies is stored, too.

    Args:
        store: holds the snapshots; trainings whose snapshot it lacks are skipped.
        snapshot: a split snapshot.
        trainings: see `trainings_of`.
        positions: P rows of the snapshot.
        stage: stage of the progress events.

    Returns:
        P bools.

    Raises:
        StoreError: a snapshot is damaged, or the store can't be written.

    Example:
        test = snapshot.positions("test")
        known = trainings_of(store, model).found
        unseen = test[~seen_with_near_copies(store, snapshot, known, test, "evaluate")]
    """
    found = sorted(_stored(store, trainings))
    if not found or not len(positions):
        return np.zeros(len(positions), dtype=np.bool_)
    group_N = find_copies(store, snapshot).group
    seen_P: Mask = np.isin(group_N[positions], group_N[exactly_seen(store, snapshot.ref, found)])
    for training in found:
        rest = np.flatnonzero(~seen_P)
        if training.snapshot_id != snapshot.ref.id and len(rest):
            seen_P[rest] = _near_gone(store, snapshot, training, positions[rest], stage)
    return seen_P


def seen_by_either(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    pair: tuple[Trainings, Trainings],
    positions: Ints,
    stage: str,
) -> Mask:
    """Which images at P positions can't compare two models, because one was trained on them.

    Exact and near copies count alike. None, if both models have learned from the same images.

    Raises:
        StoreError: a snapshot is damaged, or the store can't be written.
    """
    first, second = pair
    if first.is_same(second):
        return np.zeros(len(positions), dtype=np.bool_)
    return seen_with_near_copies(store, snapshot, first.found | second.found, positions, stage)


def _stored(store: ArtifactStore, trainings: Iterable[Training]) -> list[Training]:
    return [one for one in trainings if store.exists(store.ref(SnapshotRef, one.snapshot_id))]


def _key(store: ArtifactStore, first: SnapshotRef, second: SnapshotRef) -> str:
    """The column by which the images of both snapshots are compared."""
    formats = {recorded_format(store.info(ref)) for ref in (first, second)}
    return _PIXELS if len(formats) == 1 else _IMAGE_ID


def _learned(manifest: pd.DataFrame, training: Training) -> "pd.Series[bool]":
    usable = (manifest["status"] == KEPT) & (manifest["label"] != UNLABELLED)
    return usable & manifest["split"].isin(training.splits)


def _near_gone(
    store: ArtifactStore, snapshot: DatasetSnapshot, training: Training, rows_R: Ints, stage: str
) -> Mask:
    """Which of R rows are near copies of what the snapshot lacks; searched once and stored."""
    facts = {
        "snapshot_id": snapshot.ref.id,
        "trained_on": training.snapshot_id,
        "splits": list(training.splits),
        "rows_sha256": hashlib.sha256(rows_R.astype("<i8").tobytes()).hexdigest(),
    }
    ref = store.ref(CopiesRef, json_key([facts, source_hash(_ENTRY)]))
    if store.reuse(ref):
        return np.isin(rows_R, store.read_json(ref, _FILE))
    gone = _gone(store, snapshot, training)
    is_copy_R = _copies_of(gone, snapshot.thumbnails[rows_R], stage)
    store.put(CopiesRef, ref.id, {_FILE: json_bytes(rows_R[is_copy_R].tolist())}, facts)
    return is_copy_R


def _gone(store: ArtifactStore, snapshot: DatasetSnapshot, training: Training) -> Images:
    """The thumbnails of the training images that the snapshot does not have, each once."""
    other = open_snapshot(store, store.ref(SnapshotRef, training.snapshot_id))
    key = _key(store, snapshot.ref, other.ref)
    names = other.manifest.loc[_learned(other.manifest, training), key]
    gone = names[~names.isin(set(snapshot.manifest[key])) & ~names.duplicated()]
    thumbnails: Images = other.thumbnails[gone.index.to_numpy()]
    return thumbnails


def _copies_of(originals: Images, thumbnails_R: Images, stage: str) -> Mask:
    """Which of R images are near copies of the originals."""
    is_copy_R = np.zeros(len(thumbnails_R), dtype=np.bool_)
    if len(originals):
        rows = np.arange(len(originals) + len(thumbnails_R))
        found = find_near_duplicates(
            np.concatenate([originals, thumbnails_R]),
            rows[: len(originals)],
            rows[len(originals) :],
            NEAR_DUPLICATE_SIMILARITY,
            stage,
        )
        is_copy_R[found.copies[found.originals < len(originals)] - len(originals)] = True
    return is_copy_R
