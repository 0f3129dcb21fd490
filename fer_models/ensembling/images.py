"""The images that ensembles are fitted to and chosen on, with the members' probabilities.

M members, N images, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from fer_models.dataset.copies import Copies
from fer_models.dataset.folds import assign_folds
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.ensembling.scores import Floats, Ints
from fer_models.errors import DataError
from fer_models.evaluation.bootstrap import GroupBootstrap
from fer_models.evaluation.predictions import Predictions

MIN_FOLDS = 3
_SEED = 0


@dataclass(frozen=True)
class Images:
    """N images of a split, in cross-validation folds that keep groups of copies together.

    Attributes:
        labels_N: class numbers.
        groups_N: numbers of the groups of copies.
        folds_N: fold numbers, 0..folds-1.
        probs_MNK: the members' probabilities.
    """

    labels_N: Ints
    groups_N: Ints
    folds_N: Ints
    probs_MNK: Floats

    def __len__(self) -> int:
        """Number of images."""
        return len(self.labels_N)

    @property
    def folds(self) -> frozenset[int]:
        """The numbers of all folds."""
        return frozenset(np.unique(self.folds_N).tolist())

    @cached_property
    def bootstrap(self) -> GroupBootstrap:
        """Resamples of the images, by groups of copies."""
        return GroupBootstrap(self.groups_N)

    def where(self, folds: frozenset[int]) -> Ints:
        """The rows of the images in these folds."""
        return np.flatnonzero(np.isin(self.folds_N, sorted(folds)))

    def without_groups(self, groups: Ints) -> "Images":
        """The images that are no copies of those in `groups`."""
        rows = np.flatnonzero(~np.isin(self.groups_N, groups))
        return Images(
            self.labels_N[rows], self.groups_N[rows], self.folds_N[rows], self.probs_MNK[:, rows]
        )

    def without_member(self, number: int) -> "Images":
        """The same images without the probabilities of one member."""
        return replace(self, probs_MNK=np.delete(self.probs_MNK, number, axis=0))


def folded_images(
    snapshot: DatasetSnapshot, copies: Copies, members: Sequence[Predictions], folds: int
) -> Images:
    """The images that the members predicted, divided into folds.

    A group of copies has the same fold whatever the order of the manifest. There are fewer folds
    if there are fewer groups.

    Args:
        snapshot: holds the images.
        copies: its copies.
        members: one prediction per member, all of the same images.
        folds: number of folds.

    Raises:
        DataError: there are less than three groups of copies.
    """
    positions, labels_N = members[0].positions, members[0].labels
    groups_N = copies.group[positions]
    num_groups = len(np.unique(groups_N))
    if num_groups < MIN_FOLDS:
        raise DataError(
            f"expected at least {MIN_FOLDS} different images to choose among ensembles, got "
            f"{num_groups}; give the validation split more images (split.validation)"
        )
    pixels = snapshot.manifest["pixel_sha256"].iloc[positions].reset_index(drop=True)
    names = pixels.groupby(pd.Series(groups_N)).transform("min")
    folds_N = assign_folds(names, labels_N, min(folds, num_groups), _SEED)
    return Images(labels_N, groups_N, folds_N, np.stack([one.probs_NK for one in members]))
