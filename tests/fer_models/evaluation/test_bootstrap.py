"""The bootstrap over groups: sums, coverage, and copies that don't count as independent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_models.errors import DataError
from fer_models.evaluation.bootstrap import (
    Floats,
    GroupBootstrap,
    Ints,
    percentile_interval,
)


@given(seed=st.integers(0, 2**16), groups=st.lists(st.integers(-3, 6), min_size=1, max_size=30))
def test_sums_are_those_over_the_drawn_images(seed: int, groups: list[int]) -> None:
    groups_N = np.array(groups)
    values_NC = np.random.default_rng(seed).normal(size=(len(groups), 3))
    bootstrap = GroupBootstrap(groups_N, replicates=5, seed=seed)
    counts_BN = bootstrap.counts()
    np.testing.assert_allclose(bootstrap.sums(values_NC), counts_BN @ values_NC, atol=1e-9)
    for group in set(groups):
        assert (np.ptp(counts_BN[:, groups_N == group], axis=1) == 0).all()
    first_of_group = np.unique(groups_N, return_index=True)[1]
    assert (counts_BN[:, first_of_group].sum(axis=1) == bootstrap.num_groups).all()


def _width(groups_N: Ints, correct_N: Floats) -> float:
    bootstrap = GroupBootstrap(groups_N)
    sums_BC = bootstrap.sums(np.stack([correct_N, np.ones(len(correct_N))], axis=1))
    low, high = percentile_interval(sums_BC[:, 0] / sums_BC[:, 1], 0.95)
    return high - low


def test_copies_do_not_narrow_the_interval() -> None:
    correct = (np.random.default_rng(0).random(300) < 0.7).astype(float)
    alone = _width(np.arange(300), correct)
    copied = _width(np.repeat(np.arange(300), 4), np.repeat(correct, 4))
    independent = _width(np.arange(1200), np.repeat(correct, 4))
    assert copied == pytest.approx(alone, rel=0.1)
    assert independent == pytest.approx(alone / 2, rel=0.15)


def test_intervals_of_a_share_cover_the_truth_at_their_level() -> None:
    rng = np.random.default_rng(1)
    bootstrap = GroupBootstrap(np.arange(150), replicates=400)
    covered = 0
    for _ in range(400):
        correct = (rng.random((150, 1)) < 0.65).astype(float)
        low, high = percentile_interval(bootstrap.sums(correct)[:, 0] / 150, 0.9)
        covered += low <= 0.65 <= high
    assert 0.85 <= covered / 400 <= 0.95


def test_replicates_without_a_value_are_left_out() -> None:
    values = np.array([np.nan, 0.5, 0.5])
    assert percentile_interval(values, 0.95) == (0.5, 0.5)
    assert np.isnan(percentile_interval(np.array([np.nan]), 0.95)).all()


def test_no_images_are_refused() -> None:
    with pytest.raises(DataError, match="at least one image"):
        GroupBootstrap(np.empty(0, dtype=np.int64))
