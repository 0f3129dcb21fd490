"""Two models on the same images: accuracies, McNemar's test, differences with intervals.

Copies of an image are not independent: all intervals are over groups of copies. N images.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from fer_models.evaluation.intervals import share_interval
from fer_models.history.leaderboard import Accuracy
from fer_models.promotion.compare import Bools
from fer_models.promotion.gate.paired import compare_with_intervals

Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.95
ALPHA = 0.05
"""Level of the test and of the intervals of differences."""


class PairedDifference(BaseModel):
    """Two models on the same n images; `difference` is B minus A (-1..1) with its interval."""

    model_config = ConfigDict(frozen=True)
    n: int
    a: Accuracy
    b: Accuracy
    both_correct: int
    only_a_correct: int
    only_b_correct: int
    none_correct: int
    difference: float
    low: float
    high: float
    p_value: float
    """Two-sided exact p-value of McNemar's test, which counts copies as further images."""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely (one time in 20) give such a difference.

        As in the promotion gate, McNemar's test and the interval, which counts copies once, must
        both say so.
        """
        return self.p_value <= ALPHA and not self.low <= 0 <= self.high


def paired_difference(
    correct_a: Bools, correct_b: Bools, groups_N: Ints | None = None
) -> PairedDifference:
    """Compare which of the same N >= 1 images two models classify correctly.

    Args:
        correct_a: N booleans.
        correct_b: N booleans.
        groups_N: number of the group of copies of each image; None if no image has a copy.

    Example:
        groups = find_copies(store, snapshot).group[predictions_a.positions]
        paired_difference(predictions_a.correct, predictions_b.correct, groups).difference
    """
    groups_N = np.arange(len(correct_a)) if groups_N is None else groups_N
    found = compare_with_intervals(correct_b, correct_a, groups_N, ALPHA)
    counts = found.counts
    only_a, only_b = counts.only_champion_correct, counts.only_candidate_correct
    both = int((correct_a & correct_b).sum())
    return PairedDifference(
        n=counts.n,
        a=_accuracy(correct_a, groups_N),
        b=_accuracy(correct_b, groups_N),
        both_correct=both,
        only_a_correct=only_a,
        only_b_correct=only_b,
        none_correct=counts.n - both - only_a - only_b,
        difference=(only_b - only_a) / counts.n,
        low=found.low,
        high=found.high,
        p_value=counts.p_value,
    )


def class_differences(
    correct_a: Bools,
    correct_b: Bools,
    labels: Ints,
    names: Sequence[str],
    groups_N: Ints | None = None,
) -> dict[str, PairedDifference]:
    """The same for the images of each class that has any: differences of the recall."""
    groups_N = np.arange(len(labels)) if groups_N is None else groups_N
    return {
        name: paired_difference(correct_a[rows], correct_b[rows], groups_N[rows])
        for name, rows in ((name, labels == number) for number, name in enumerate(names))
        if rows.any()
    }


def _accuracy(correct_N: Bools, groups_N: Ints) -> Accuracy:
    low, high = share_interval(correct_N, groups_N, CONFIDENCE)
    return Accuracy(n=len(correct_N), accuracy=float(correct_N.mean()), low=low, high=high)
