"""Greedy selection of members with replacement (Caruana et al., ICML 2004).

N images, M members, K classes.
"""

import numpy as np

from fer_models.ensembling.config import Metric
from fer_models.ensembling.scores import Floats, Ints, loss, score

# A member's weight is a multiple of 1/25 at the finest; more rounds fit noise.
_MAX_SIZE = 25


def greedy_counts(metric: Metric, probs_MNK: Floats, labels_N: Ints) -> Ints:
    """How often each member is selected; their weights are proportional to it.

    As in the paper: members are sorted by their own score, and the selection starts with the best
    ones together, as many of them as score best (sorted initialisation). Then the member whose
    addition scores best is added, again and again, and the best selection on the way is kept.
    Ties go to the lower cross-entropy, then to the earlier member; among selections to the
    smaller one. The paper's bags of models need a library of hundreds and random draws; with a
    handful of members sorted initialisation does the same service against overfitting.

    Args:
        metric: what is improved.
        probs_MNK: the members' probabilities.
        labels_N: class numbers.

    Returns:
        M counts with a sum of 1 to about 25.
    """
    path = _Path(metric, probs_MNK, labels_N)
    own = path.candidates(np.zeros(probs_MNK.shape[1:]))
    order = sorted(range(len(probs_MNK)), key=lambda member: (*own[member], member))
    for member in order[:_MAX_SIZE]:
        path.add(member)
    path.return_to_best()
    while path.size < _MAX_SIZE:
        ranks = path.candidates(path.sum_NK)
        path.add(min(range(len(ranks)), key=lambda member: (*ranks[member], member)))
    return path.best


class _Path:
    """The selections so far, by counts of members, and the best of them."""

    def __init__(self, metric: Metric, probs_MNK: Floats, labels_N: Ints) -> None:
        self._metric: Metric = metric
        self._probs_MNK = probs_MNK
        self._labels_N = labels_N
        self._best_rank = (np.inf, np.inf)
        self.counts: Ints = np.zeros(len(probs_MNK), dtype=np.int64)
        self.sum_NK: Floats = np.zeros(probs_MNK.shape[1:])
        self.best: Ints = self.counts

    @property
    def size(self) -> int:
        """Number of selected members, repetitions included."""
        return int(self.counts.sum())

    def add(self, member: int) -> None:
        self.counts = self.counts.copy()
        self.counts[member] += 1
        self.sum_NK = self.sum_NK + self._probs_MNK[member]
        rank = self._rank(self.sum_NK / self.size)
        if rank < self._best_rank:
            self._best_rank, self.best = rank, self.counts

    def return_to_best(self) -> None:
        self.counts = self.best
        self.sum_NK = np.zeros(self._probs_MNK.shape[1:])
        for count, probs_NK in zip(self.counts, self._probs_MNK, strict=True):
            self.sum_NK += count * probs_NK

    def candidates(self, sum_NK: Floats) -> list[tuple[float, float]]:
        """The rank of the selection with each of the members added; lower is better."""
        return [self._rank((sum_NK + probs_NK) / (self.size + 1)) for probs_NK in self._probs_MNK]

    def _rank(self, mean_NK: Floats) -> tuple[float, float]:
        """The metric, then the cross-entropy; lower is better."""
        worse = loss(self._metric, score(self._metric, mean_NK, self._labels_N))
        entropy = score("log_loss", mean_NK, self._labels_N)
        return round(worse, 9), round(entropy, 9)
