"""How far apart two samples are: a few distances, each 0 (the same) to 1 (nothing in common).

A small sample differs from another by chance alone. Each distance therefore comes with the one
that chance explains: what one of a thousand draws from the same data exceeds.

M and N are the numbers of images, K classes.
"""

import numpy as np
import numpy.typing as npt

from fer_models.labels import NUM_CLASSES

# Of two samples of the same data, one pair in 1000 lies further apart than by chance.
CHANCE = 0.001

Numbers = npt.NDArray[np.float64]


def class_counts(labels_N: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Images of each class (K numbers); the unlabelled (-1) are left out."""
    return np.bincount(labels_N[labels_N >= 0], minlength=NUM_CLASSES)


def jensen_shannon_distance(counts_K: npt.ArrayLike, other_counts_K: npt.ArrayLike) -> float:
    """Square root of the Jensen-Shannon divergence (base 2) of two tables of counts.

    Source: Endres and Schindelin, A new metric for probability distributions, 2003. 0 where
    either table is empty.
    """
    first, second = _shares(counts_K), _shares(other_counts_K)
    if first is None or second is None:
        return 0.0
    middle = (first + second) / 2
    divergence = (_relative_entropy(first, middle) + _relative_entropy(second, middle)) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def kolmogorov_smirnov_distance(values_M: Numbers, others_N: Numbers) -> float:
    """Largest difference of the two empirical distribution functions; 0 where one is empty."""
    if not len(values_M) or not len(others_N):
        return 0.0
    first, second = np.sort(values_M), np.sort(others_N)
    everywhere = np.concatenate([first, second])
    below_first = np.searchsorted(first, everywhere, side="right") / len(first)
    below_second = np.searchsorted(second, everywhere, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def chance_jensen_shannon(num_classes: int, num_first: int, num_second: int) -> float:
    """What chance explains; for shares near each other 8 ln 2 M N / (M + N) d^2 is chi-squared."""
    from scipy.stats import chi2

    effective = _effective(num_first, num_second)
    if num_classes < 2 or not effective:
        return 0.0
    return float(min(1.0, np.sqrt(chi2.isf(CHANCE, num_classes - 1) / (8 * np.log(2) * effective))))


def chance_kolmogorov_smirnov(num_first: int, num_second: int) -> float:
    """What chance explains: the asymptotic critical value sqrt(-ln(p / 2) / 2 (M + N) / M N)."""
    effective = _effective(num_first, num_second)
    if not effective:
        return 0.0
    return float(min(1.0, np.sqrt(-np.log(CHANCE / 2) / 2 / effective)))


def chance_share(pooled_share: float, num_first: int, num_second: int) -> float:
    """What chance explains of the difference of two shares (normal approximation)."""
    from scipy.stats import norm

    effective = _effective(num_first, num_second)
    if not effective:
        return 0.0
    spread = np.sqrt(pooled_share * (1 - pooled_share) / effective)
    return float(min(1.0, norm.isf(CHANCE / 2) * spread))


def _effective(num_first: int, num_second: int) -> float:
    total = num_first + num_second
    return num_first * num_second / total if total else 0.0


def _shares(counts: npt.ArrayLike) -> Numbers | None:
    numbers = np.asarray(counts, dtype=np.float64)
    total = numbers.sum()
    return numbers / total if total else None


def _relative_entropy(shares: Numbers, middle: Numbers) -> float:
    there = shares > 0
    return float(np.sum(shares[there] * np.log2(shares[there] / middle[there])))
