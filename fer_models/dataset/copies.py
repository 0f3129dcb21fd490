"""Copies: which images of a snapshot show the same picture, and which also stand in training.

N images. Held-out images that a network has seen in training, exactly or under another crop,
light or mirrored, make its score too high; copies within a split make its interval too narrow.
"""

import io
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_models.dataset.config import NEAR_DUPLICATE_SIMILARITY
from fer_models.dataset.near_duplicates import (
    Mask,
    Positions,
    find_near_duplicates,
    group_near_duplicates,
)
from fer_models.dataset.similarity_cache import SimilarityCache
from fer_models.dataset.snapshot import DatasetSnapshot, first_of_group
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import CopiesRef
from fer_models.storage.store import ArtifactStore

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

    Near duplicates are those at a similarity of 0.95 (`fer_models.dataset.near_duplicates`),
    whatever cleaning was set to, so that figures of runs with different settings can be compared.
    Quarantined training images count, too: whether a network saw them depends on the cleaning
    policy.

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
    found = find_near_duplicates(
        snapshot.thumbnails, train, held_out, NEAR_DUPLICATE_SIMILARITY, "copies", cache
    )
    copied = set(pixels.iloc[found.copies[np.isin(found.originals, train)]])
    groups = group_copies(snapshot, np.arange(len(pixels)), "copies", cache)
    return Copies(
        group=pd.factorize(groups)[0].astype(np.int64),
        in_training=in_training,
        near_training=in_training | pixels.isin(copied).to_numpy(),
    )


def group_copies(
    snapshot: DatasetSnapshot, rows: Positions, stage: str, cache: SimilarityCache | None = None
) -> Positions:
    """Group exact and near duplicates, of any split and status; a chain of copies is one group.

    Args:
        snapshot: any snapshot.
        rows: n rows of it; the others are ignored.
        stage: stage of the progress events.
        cache: see `group_near_duplicates`.

    Returns:
        For each of the n rows the index (0..n-1) of the first one in its group.

    Example:
        groups = group_copies(snapshot, snapshot.positions("train"), "split")
    """
    first = first_of_group(snapshot.manifest["pixel_sha256"].iloc[rows])
    unique, number = np.unique(first, return_inverse=True)
    groups = group_near_duplicates(
        snapshot.thumbnails, rows[unique], NEAR_DUPLICATE_SIMILARITY, stage, cache
    )
    return unique[groups][number]


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
