"""Copies: which images of a snapshot show the same picture, and which also stand in training.

N images. Held-out images that a network has seen in training, exactly or under another crop,
light or mirrored, make its score too high; copies within a split make its interval too narrow.
"""

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.config import NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.folds import join_groups
from fer_models.dataset.near_duplicates import NearDuplicates, Positions, find_near_duplicates
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import CopiesRef
from fer_models.storage.store import ArtifactStore

Mask = npt.NDArray[np.bool_]

_FILE = "copies.parquet"
_ENTRY = "fer_models.dataset.copies"
_TRAIN = "train"


@dataclass(frozen=True)
class Copies:
    """The copies in a snapshot; all arrays have one entry for each of its N images.

    Attributes:
        group: number (0..) of the group of exact and near duplicates, over all splits.
        in_training: whether an exact copy is in the training split, of any status.
        near_training: whether an exact or near copy is in the training split, of any status. Both
            are True for training images.
    """

    group: Positions
    in_training: Mask
    near_training: Mask


def find_copies(store: ArtifactStore, snapshot: DatasetSnapshot) -> Copies:
    """The copies in a split snapshot, searched once and stored.

    Near duplicates are those of `find_near_duplicates` at a similarity of 0.95, whatever cleaning
    was set to, so that figures of runs with different settings can be compared. Quarantined
    training images count, too: whether a network saw them depends on the cleaning policy.

    Raises:
        StoreError: the store can't be read or written.

    Example:
        copies = find_copies(store, snapshot)
        test = snapshot.positions("test")
        unseen = test[~copies.near_training[test]]
    """
    ref = store.ref(CopiesRef, json_key([snapshot.ref.id, source_hash(_ENTRY)]))
    if store.reuse(ref):
        return _read(store, ref)
    copies = search_copies(snapshot)
    facts = {"snapshot_id": snapshot.ref.id, "groups": int(copies.group.max(initial=-1)) + 1}
    store.put(CopiesRef, ref.id, {_FILE: _parquet(copies)}, facts)
    return copies


def search_copies(snapshot: DatasetSnapshot) -> Copies:
    """The copies in a split snapshot, without storing them."""
    pixels = snapshot.manifest["pixel_sha256"].reset_index(drop=True)
    first = ~pixels.duplicated().to_numpy()
    is_train = (snapshot.manifest["split"] == _TRAIN).to_numpy()
    in_training = pixels.isin(set(pixels[is_train])).to_numpy()
    cache = SimilarityCache(pixels)
    train, held_out = np.flatnonzero(first & in_training), np.flatnonzero(first & ~in_training)
    # Training images first are always originals, so no held-out copy of them is overlooked.
    found = _search(snapshot, train, held_out, cache)
    within = _search(snapshot, train[:0], np.concatenate([train, held_out]), cache)
    copied = set(pixels.iloc[found.copies[np.isin(found.originals, train)]])
    names = join_groups(
        pixels,
        np.concatenate([found.copies, within.copies]),
        np.concatenate([found.originals, within.originals]),
    )
    return Copies(
        group=pd.factorize(names)[0].astype(np.int64),
        in_training=in_training,
        near_training=in_training | pixels.isin(copied).to_numpy(),
    )


def _search(
    snapshot: DatasetSnapshot, held_out: Positions, others: Positions, cache: SimilarityCache
) -> NearDuplicates:
    return find_near_duplicates(
        snapshot.thumbnails, held_out, others, NEAR_DUPLICATE_SIMILARITY, "copies", cache
    )


def _read(store: ArtifactStore, ref: CopiesRef) -> Copies:
    table = pd.read_parquet(store.fetch(ref, _FILE))
    return Copies(
        group=table["group"].to_numpy(dtype=np.int64),
        in_training=table["in_training"].to_numpy(dtype=np.bool_),
        near_training=table["near_training"].to_numpy(dtype=np.bool_),
    )


def _parquet(copies: Copies) -> bytes:
    buffer = io.BytesIO()
    pd.DataFrame(vars(copies)).to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
