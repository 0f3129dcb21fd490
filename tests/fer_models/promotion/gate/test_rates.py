"""How often the default gate is wrong, by simulation; see also `make bench-promotion`."""

import pytest
from scipy.stats import binomtest

from fer_models.promotion.config import PromotionConfig
from tests.benchmarks.bench_promotion import promotion_rate

LEVEL = PromotionConfig().level
TRIALS = 60
LARGE = 1000


def above(rate: float, limit: float) -> bool:
    """Whether a rate of the trials is above the limit beyond the error of the simulation."""
    test = binomtest(round(rate * TRIALS), TRIALS, limit, alternative="greater")
    return bool(test.pvalue < 0.001)


@pytest.mark.parametrize("n", [200, LARGE])
def test_an_equal_candidate_on_the_same_data_is_rarely_promoted(n: int) -> None:
    assert not above(promotion_rate(n, 0.0, TRIALS), LEVEL / 2)


def test_a_candidate_worse_by_the_margin_is_rarely_promoted_for_newer_data() -> None:
    assert not above(promotion_rate(LARGE, -0.02, TRIALS, newer=True), LEVEL)


def test_a_large_gain_is_usually_promoted() -> None:
    assert promotion_rate(LARGE, 0.04, TRIALS) > 0.75
