"""Paired comparison of two models on the same images: accuracies, an exact test, an interval."""

from dataclasses import dataclass
from statistics import NormalDist

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
    """Two-sided exact p-value of McNemar's test."""


def compare_paired(candidate_correct: Bools, champion_correct: Bools) -> PairedComparison:
    """Compare which of the same n >= 1 images two models classify correctly."""
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

    Integer arithmetic: correctly rounded, where `scipy.stats.binomtest` is off by up to 3e-14
    (relative) and takes a second to import.

    Args:
        only_first: number of images that only the first model classifies correctly.
        only_second: number of images that only the second model classifies correctly.
    """
    discordant = only_first + only_second
    smaller = min(only_first, only_second)
    term = tail = 1
    for k in range(smaller):
        term = term * (discordant - k) // (k + 1)
        tail += term
    return float(min(1.0, 2 * tail / 2**discordant))


def difference_interval(
    only_a: float, only_b: float, n: float, confidence: float
) -> tuple[float, float]:
    """Interval of the difference of two paired proportions, B minus A, within -1..1.

    Wald's interval after half an observation is added to each of the four cells (Agresti and Min,
    "Simple improved confidence intervals for comparing matched proportions", 2005). It stays
    honest for few images and few disagreements, where Wald's own has no width.

    Args:
        only_a: images that only A classifies correctly.
        only_b: images that only B classifies correctly.
        n: all images, at least 1.
        confidence: two-sided confidence level, between 0 and 1.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    total = n + 2
    mean = (only_b - only_a) / total
    variance = ((only_a + only_b + 1) / total - mean**2) / total
    half = z * float(variance) ** 0.5
    return max(-1.0, mean - half), min(1.0, mean + half)
