"""The paired comparison, compared with scipy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from fer_models.promotion.compare import compare_paired, mcnemar_p_value


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
