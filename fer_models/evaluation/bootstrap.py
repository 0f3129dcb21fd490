"""Bootstrap over groups of copies: copies of an image are drawn together, as one observation.

N images, G groups, B replicates, C columns.
"""

import numpy as np
import numpy.typing as npt

from fer_models.errors import DataError

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

REPLICATES = 1000
_MAX_BLOCK_VALUES = 1 << 20
"""Counts that are converted to floating point at a time: 8 MB."""


class GroupBootstrap:
    """Resamples whole groups of images with replacement (cluster bootstrap).

    Sums over the images of a replicate come from sums over groups, so a statistic made of sums
    (accuracy, a confusion matrix, a mean loss) costs one matrix product for all replicates.

    Example:
        bootstrap = GroupBootstrap(copies.group[test], seed=0)
        hits_B, images_B = bootstrap.sums(np.stack([correct, np.ones(len(correct))], axis=1)).T
        low, high = percentile_interval(hits_B / images_B, 0.95)
    """

    def __init__(self, groups_N: Ints, replicates: int = REPLICATES, seed: int = 0) -> None:
        """Draw the replicates.

        Args:
            groups_N: number of each image's group; images with the same number are copies.
            replicates: number of resamples B, at least 1.
            seed: of the draws; the same groups and seed give the same replicates.

        Raises:
            DataError: there are no images.
        """
        if len(groups_N) == 0:
            raise DataError("expected at least one image to resample, got none")
        _, codes = np.unique(groups_N, return_inverse=True)
        self.groups_N: Ints = codes.astype(np.int64)
        """The groups as numbers 0..G-1."""
        self.num_groups = int(self.groups_N.max()) + 1
        self._order = np.argsort(self.groups_N, kind="stable")
        self._starts = np.searchsorted(self.groups_N[self._order], np.arange(self.num_groups))
        rng = np.random.default_rng(seed)
        self._counts_BG = np.empty((replicates, self.num_groups), dtype=np.uint8)
        for counts_G in self._counts_BG:
            drawn = rng.integers(self.num_groups, size=self.num_groups)
            # More than 255 draws of one group of many have no chance; of few they are impossible.
            counts_G[:] = np.bincount(drawn, minlength=self.num_groups)

    def sums(self, values_NC: Floats) -> npt.NDArray[np.float64]:
        """Sums of each column over the images of every replicate, B x C.

        Args:
            values_NC: C values of each of N images.
        """
        sorted_NC = values_NC[self._order].astype(np.float64)
        sums_GC = np.add.reduceat(sorted_NC, self._starts, axis=0)
        rows = max(1, _MAX_BLOCK_VALUES // self.num_groups)
        starts = range(0, len(self._counts_BG), rows)
        blocks = (self._counts_BG[start : start + rows].astype(np.float64) for start in starts)
        return np.concatenate([block @ sums_GC for block in blocks])

    def counts(self) -> npt.NDArray[np.float32]:
        """How often each image is drawn in every replicate, B x N."""
        return self._counts_BG[:, self.groups_N].astype(np.float32)


def percentile_interval(values_B: Floats, confidence: float) -> tuple[float, float]:
    """The middle `confidence` (0..1) of the values of the replicates; NaN values don't count.

    Both ends are NaN if no replicate has a value.
    """
    valid = values_B[~np.isnan(values_B)]
    if not len(valid):
        return float("nan"), float("nan")
    tail = (1 - confidence) / 2
    low, high = np.quantile(valid, [tail, 1 - tail])
    return float(low), float(high)
