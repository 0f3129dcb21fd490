"""Two models on the same images: accuracies, McNemar's test, differences with intervals."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict

from fer_models.evaluation.metrics import wilson_interval
from fer_models.history.leaderboard import Accuracy
from fer_models.promotion.compare import Bools, compare_paired, difference_interval

CONFIDENCE = 0.95
ALPHA = 0.05


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
    """Two-sided exact p-value of McNemar's test."""

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely (less than one time in 20) give such a difference."""
        return self.p_value < ALPHA


def paired_difference(correct_a: Bools, correct_b: Bools) -> PairedDifference:
    """Compare which of the same n >= 1 images two models classify correctly (arrays of n).

    Example:
        paired_difference(predictions_a.correct, predictions_b.correct).difference
    """
    compared = compare_paired(correct_b, correct_a)
    only_a, only_b = compared.only_champion_correct, compared.only_candidate_correct
    both = int((correct_a & correct_b).sum())
    low, high = difference_interval(only_a, only_b, compared.n, CONFIDENCE)
    return PairedDifference(
        n=compared.n,
        a=_accuracy(both + only_a, compared.n),
        b=_accuracy(both + only_b, compared.n),
        both_correct=both,
        only_a_correct=only_a,
        only_b_correct=only_b,
        none_correct=compared.n - both - only_a - only_b,
        difference=(only_b - only_a) / compared.n,
        low=low,
        high=high,
        p_value=compared.p_value,
    )


def class_differences(
    correct_a: Bools, correct_b: Bools, labels: npt.NDArray[np.int64], names: Sequence[str]
) -> dict[str, PairedDifference]:
    """The same for the images of each class that has any: differences of the recall."""
    return {
        name: paired_difference(correct_a[labels == number], correct_b[labels == number])
        for number, name in enumerate(names)
        if (labels == number).any()
    }


def _accuracy(num_correct: int, n: int) -> Accuracy:
    low, high = wilson_interval(num_correct, n, CONFIDENCE)
    return Accuracy(n=n, accuracy=num_correct / n, low=low, high=high)
