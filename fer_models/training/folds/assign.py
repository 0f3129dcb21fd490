"""Which fold each training image of a member belongs to.

N training images, in the order of `snapshot.positions("train")`.
"""

import threading

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.copies import find_copies
from fer_models.dataset.folds import assign_folds
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError
from fer_models.storage.store import ArtifactStore

Folds = npt.NDArray[np.int64]

# Trainings side by side share one search for copies, which is stored when it ends.
_ONE_SEARCH = threading.Lock()


def training_folds(
    store: ArtifactStore, snapshot: DatasetSnapshot, num_folds: int, seed: int
) -> Folds:
    """The fold of each training image; exact and near copies share one, classes are spread evenly.

    Members of a run with the same number of folds have the same ones, whatever their `seed_offset`.

    Args:
        store: holds the snapshot, and the copies that were found in it.
        snapshot: a split snapshot.
        num_folds: at least 2.
        seed: of the run.

    Returns:
        N fold numbers, 0..num_folds-1.

    Raises:
        DataError: too few groups of copies for so many folds; lists all problems.
    """
    positions = snapshot.positions("train")
    labels = snapshot.labels(positions)
    with _ONE_SEARCH:
        groups = find_copies(store, snapshot).group
    pixels = snapshot.manifest["pixel_sha256"].reset_index(drop=True)
    # The smallest hash is a name that does not depend on the order of the images.
    names = pixels.groupby(groups).transform("min").iloc[positions].reset_index(drop=True)
    folds = assign_folds(names, labels, num_folds, seed)
    _check(snapshot, names, labels, folds, num_folds)
    return folds


def _check(
    snapshot: DatasetSnapshot, names: pd.Series, labels: Folds, folds: Folds, num_folds: int
) -> None:
    """Every fold needs images, and every network images of every class."""
    problems = []
    num_groups = int(names.nunique())
    if num_groups < num_folds:
        problems.append(
            f"expected at least {num_folds} different training images, got {num_groups}"
        )
    problems += [
        f"class {name}: all {int((labels == number).sum())} training images are in one fold"
        for number, name in enumerate(snapshot.classes.names)
        if len(np.unique(folds[labels == number])) == 1
    ]
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id[:12]} has too few training images for {num_folds} folds; "
            "add images, or set out_of_fold.folds=0",
            problems,
        )
