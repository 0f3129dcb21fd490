"""A candidate and the champion on the same images: accuracies and an exact paired test."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PairedComparison:
    """Two models on the same n images; accuracies are 0..1."""

    n: int
    candidate_accuracy: float
    champion_accuracy: float
    only_candidate_correct: int
    only_champion_correct: int
    p_value: float
    """Of a difference at least this large if both were equally good (two-sided, exact)."""


def compare_paired(candidate_correct: Bools, champion_correct: Bools) -> PairedComparison:
    """Compare which of the same n >= 1 images two models get right."""
    assert candidate_correct.shape == champion_correct.shape
    assert len(candidate_correct) > 0
    only_candidate = int((candidate_correct & ~champion_correct).sum())
    only_champion = int((champion_correct & ~candidate_correct).sum())
    return PairedComparison(
        n=len(candidate_correct),
        candidate_accuracy=float(candidate_correct.mean()),
        champion_accuracy=float(champion_correct.mean()),
        only_candidate_correct=only_candidate,
        only_champion_correct=only_champion,
        p_value=mcnemar_p_value(only_candidate, only_champion),
    )


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test (McNemar 1947): binomial on the discordant pairs.

    Args:
        only_first: images that only the first model gets right.
        only_second: images that only the second model gets right.
    """
    discordant = only_first + only_second
    smaller = min(only_first, only_second)
    # Whole numbers: exact, and no library to load for it.
    term = ways = 1
    for k in range(smaller):
        term = term * (discordant - k) // (k + 1)
        ways += term
    return float(min(1.0, 2 * ways / 2**discordant))
