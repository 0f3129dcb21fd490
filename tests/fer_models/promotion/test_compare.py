"""The paired comparison, compared with scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from fer_models.promotion.compare import compare_paired, difference_interval, mcnemar_p_value


@given(st.integers(0, 300), st.integers(0, 300))
def test_p_value_is_the_exact_binomial_one(only_first: int, only_second: int) -> None:
    n = only_first + only_second
    expected = binomtest(only_first, n, 0.5).pvalue if n else 1.0
    assert mcnemar_p_value(only_first, only_second) == pytest.approx(expected, rel=1e-9)


def test_thousands_of_discordant_images_are_no_problem() -> None:
    assert mcnemar_p_value(0, 20_000) == 0.0
    assert mcnemar_p_value(10_000, 10_000) == 1.0


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_counts_and_accuracies_fit_together(pairs: list[tuple[bool, bool]]) -> None:
    candidate, champion = (np.array(column) for column in zip(*pairs, strict=True))
    result = compare_paired(candidate, champion)
    gain = (result.only_candidate_correct - result.only_champion_correct) / result.n
    assert result.candidate_accuracy - result.champion_accuracy == pytest.approx(gain)


def test_the_interval_of_a_difference_is_agresti_and_mins() -> None:
    """Half an observation in each cell, then Wald's interval of the mean of -1, 0 and 1."""
    only_a, only_b, n = 7, 19, 120
    values = np.array([-1.0, 1.0, 0.0])
    counts = np.array([only_a + 0.5, only_b + 0.5, n - only_a - only_b + 1])
    mean = np.average(values, weights=counts)
    deviation = np.sqrt(np.average((values - mean) ** 2, weights=counts) / counts.sum())
    half = norm.ppf(0.975) * deviation
    assert difference_interval(only_a, only_b, n, 0.95) == pytest.approx((mean - half, mean + half))


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(3)
    cells = rng.multinomial(60, [0.08, 0.18, 0.74], size=4000)
    covered = [
        low <= 0.10 <= high
        for low, high in (difference_interval(a, b, 60, 0.95) for a, b, _ in cells)
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
