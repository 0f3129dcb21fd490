"""Distances between a reference and recent values, with what chance gives.

M reference values, N recent values, K classes, D features of an image.
"""

import warnings
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NUM_BINS = 10
_CHANCE_QUANTILE = 0.99
_SMALLEST = 1e-12


class Discrepancy(NamedTuple):
    """Squared MMD of two samples, the 99 % quantile of it by chance, and the p-value."""

    squared_mmd: float
    chance: float
    p_value: float

    @property
    def ratio(self) -> float:
        """The squared MMD as a multiple of what chance gives; 0 if it is not positive."""
        return max(self.squared_mmd, 0.0) / self.chance


def population_stability(counts_K: Ints, others_K: Ints) -> float:
    """Population stability index (PSI) of two sets of counts; 0 if the shares are equal.

    The sum of (p - q) ln(p / q) over the bins: the Kullback-Leibler divergence in both directions
    (Jeffreys 1946). Half a count is added to every bin, so that an empty one stays finite.
    """
    p, q = (_smoothed_shares(counts) for counts in (counts_K, others_K))
    return float(np.sum((p - q) * np.log(p / q)))


def quantile_counts(
    reference_M: Floats, recent_N: Floats, num_bins: int = NUM_BINS
) -> tuple[Ints, Ints]:
    """Counts of both samples in bins that hold equal shares of the reference.

    Ties may merge bins: a constant reference has two, what is at most its value and what is above.
    """
    inner = np.quantile(reference_M, np.linspace(0, 1, num_bins + 1)[1:-1])
    edges = np.unique(inner)
    return (
        np.bincount(np.searchsorted(edges, reference_M), minlength=len(edges) + 1),
        np.bincount(np.searchsorted(edges, recent_N), minlength=len(edges) + 1),
    )


def kolmogorov_smirnov(reference_M: Floats, recent_N: Floats) -> tuple[float, float]:
    """Largest distance of the two distribution functions (0..1), and its two-sided p-value."""
    from scipy.stats import ks_2samp

    with warnings.catch_warnings():
        # It falls back to the asymptotic p-value by itself.
        warnings.simplefilter("ignore", RuntimeWarning)
        result = ks_2samp(reference_M, recent_N)
    return float(result.statistic), float(result.pvalue)


def homogeneity_p_value(counts_K: Ints, others_K: Ints) -> float:
    """P-value of Pearson's chi-squared test that both counts have the same shares.

    Classes that occur in neither are left out; 1 if fewer than two are left.
    """
    from scipy.stats import chi2_contingency

    table = np.stack([counts_K, others_K])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        return 1.0
    return float(chi2_contingency(table, correction=False).pvalue)


def jensen_shannon(counts_K: Ints, others_K: Ints) -> float:
    """Jensen-Shannon distance (base 2) of two sets of counts, 0 (same shares) .. 1 (disjoint)."""
    p, q = counts_K / counts_K.sum(), others_K / others_K.sum()
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    return float(np.sqrt(np.clip(divergence, 0.0, 1.0)))


def discrepancy(
    reference_MD: Floats, recent_ND: Floats, permutations: int, rng: np.random.Generator
) -> Discrepancy:
    """Maximum mean discrepancy of two samples, against random relabellings of both together.

    Unbiased squared MMD with a Gaussian kernel whose bandwidth is the median distance
    (Gretton et al. 2012, A Kernel Two-Sample Test). At least 2 rows on each side.
    """
    pooled = np.concatenate([reference_MD, recent_ND])
    kernel = _gaussian_kernel(pooled)
    members = np.zeros((len(pooled), permutations + 1))
    members[: len(reference_MD), 0] = 1.0
    for column in range(1, permutations + 1):
        members[rng.permutation(len(pooled))[: len(reference_MD)], column] = 1.0
    values = _squared_mmd(kernel, members, len(reference_MD))
    observed, by_chance = float(values[0]), values[1:]
    # Rounding must not make a difference between equal values.
    num_larger = int((by_chance >= observed - _SMALLEST).sum())
    return Discrepancy(
        squared_mmd=observed,
        chance=max(float(np.quantile(by_chance, _CHANCE_QUANTILE)), _SMALLEST),
        p_value=(1 + num_larger) / (1 + permutations),
    )


def mean_drop_p_value(reference_M: Floats, recent_N: Floats) -> float:
    """One-sided p-value that the recent mean is below the reference's (normal approximation)."""
    from scipy.stats import norm

    variance = np.var(reference_M) / len(reference_M) + np.var(recent_N) / len(recent_N)
    drop = float(reference_M.mean() - recent_N.mean())
    if variance == 0:
        return 0.0 if drop > 0 else 1.0
    return float(norm.sf(drop / np.sqrt(variance)))


def _gaussian_kernel(rows: Floats) -> Floats:
    """Kernel values of all pairs of rows, with a diagonal of zeros."""
    norms = np.sum(rows**2, axis=1)
    squared = np.maximum(norms[:, None] + norms[None, :] - 2 * rows @ rows.T, 0.0)
    median = float(np.median(squared[np.triu_indices(len(rows), 1)]))
    kernel: Floats = np.exp(-squared / max(median, _SMALLEST))
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _squared_mmd(kernel: Floats, members: Floats, num_first: int) -> Floats:
    """For each column of 0 and 1 the squared MMD of the rows marked 1 and of the others."""
    num_second = len(kernel) - num_first
    sums = kernel @ members
    within_first = np.sum(members * sums, axis=0)
    between = np.sum((1 - members) * sums, axis=0)
    within_second = kernel.sum() - within_first - 2 * between
    result: Floats = (
        within_first / (num_first * (num_first - 1))
        + within_second / (num_second * (num_second - 1))
        - 2 * between / (num_first * num_second)
    )
    return result


def _smoothed_shares(counts: Ints) -> Floats:
    smoothed = counts + 0.5
    shares: Floats = smoothed / smoothed.sum()
    return shares


def _relative_entropy(shares: Floats, middle: Floats) -> float:
    some = shares > 0
    return float(np.sum(shares[some] * np.log2(shares[some] / middle[some])))
