"""A smaller training split for trials."""

import numpy as np
import numpy.typing as npt

from fer_models.training.data import SplitImages


def balanced_subset(split: SplitImages, max_images: int, seed: int) -> SplitImages:
    """At most `max_images` images, as many of each class as there are and fit; order is kept.

    A class with too few images leaves its share to the others.
    """
    if len(split) <= max_images:
        return split
    rng = np.random.default_rng(seed)
    shares = _shares(np.bincount(split.labels), max_images)
    chosen = [
        rng.choice(np.flatnonzero(split.labels == label), count, replace=False)
        for label, count in enumerate(shares)
    ]
    positions = np.sort(np.concatenate(chosen))
    return split.at(positions)


def _shares(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """How many to take of each class so that the smallest shares are as large as they can be."""
    shares = np.zeros_like(counts)
    while (left := total - int(shares.sum())) > 0:
        room = np.flatnonzero(counts > shares)
        each = max(1, left // len(room))
        for label in room[:left]:
            shares[label] += min(each, counts[label] - shares[label])
    return shares
