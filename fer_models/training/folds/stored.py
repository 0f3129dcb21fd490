"""Stored folds: their predictions, and those of all folds of a member together.

N training images, n of them in a fold, K classes.
"""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError
from fer_models.evaluation.predictions import out_of_fold_bytes
from fer_models.storage.refs import FoldRef, ModelRef
from fer_models.storage.store import ArtifactStore

if TYPE_CHECKING:
    from fer_models.training.artifact import OutOfFold

PREDICTIONS_FILE = "predictions.npz"
_LINEAGE_FILE = "lineage.json"


def fold_bytes(positions: npt.NDArray[np.int64], probs_nK: npt.NDArray[np.float32]) -> bytes:
    """Content of `predictions.npz`: row `positions` (n) and float32 `probabilities` (n x K)."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, positions=positions, probabilities=probs_nK)
    return buffer.getvalue()


def folds_of(store: ArtifactStore, model: ModelRef) -> list[FoldRef]:
    """The folds of a stored model, in their order; none if its member has none.

    Raises:
        StoreError: the model or a fold is missing or damaged.
    """
    from fer_models.training.artifact import FOLDS

    ids = store.read_json(model, _LINEAGE_FILE).get(FOLDS, [])
    bare = [store.ref(FoldRef, str(fold_id), name="", fold=0) for fold_id in ids]
    infos = [store.info(ref) for ref in bare]
    return [
        ref.model_copy(update={"name": info["name"], "fold": info["fold"]})
        for ref, info in zip(bare, infos, strict=True)
    ]


def merge_folds(
    store: ArtifactStore, snapshot: DatasetSnapshot, folds: Sequence[FoldRef]
) -> "OutOfFold":
    """The predictions of all folds of a member, one row for each training image.

    Raises:
        DataError: the folds are not those of the snapshot's training images, each image in one.
        StoreError: a fold is missing or damaged.
    """
    from fer_models.training.artifact import OutOfFold

    positions = snapshot.positions("train")
    probs_NK = np.zeros((len(positions), len(snapshot.classes)), dtype=np.float32)
    numbers = np.full(len(positions), -1, dtype=np.int64)
    for ref in folds:
        with np.load(store.fetch(ref, PREDICTIONS_FILE), allow_pickle=False) as arrays:
            rows = np.searchsorted(positions, arrays["positions"])
            fits = rows.max(initial=-1) < len(positions)
            if not fits or (positions[rows] != arrays["positions"]).any():
                raise DataError(f"{ref.url}: expected a fold of snapshot {snapshot.ref.id}")
            if (numbers[rows] >= 0).any():
                raise DataError(f"{ref.url}: expected other images than those of earlier folds")
            probs_NK[rows], numbers[rows] = arrays["probabilities"], ref.fold
    if (numbers < 0).any():
        raise DataError(
            f"expected all folds of {folds[0].name}, got {len(folds)} of them, which lack "
            f"{int((numbers < 0).sum())} of {len(positions)} training images"
        )
    return OutOfFold(
        content=out_of_fold_bytes(probs_NK, numbers),
        accuracy=float((probs_NK.argmax(1) == snapshot.labels(positions)).mean()),
        fold_ids=tuple(ref.id for ref in folds),
    )
