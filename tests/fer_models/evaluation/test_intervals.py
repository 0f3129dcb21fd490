"""Intervals of shares and areas: Wilson and DeLong without copies, wider with them."""

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.intervals import (
    auroc_intervals,
    effective_size,
    share_interval,
    share_of,
)
from tests.fer_models.builders import draw_probabilities

Bools = npt.NDArray[np.bool_]
ROUNDED = 1.1e-6


@given(st.lists(st.booleans(), min_size=1, max_size=300), st.sampled_from([0.8, 0.95, 0.99]))
def test_without_copies_it_is_the_wilson_interval(hits: list[bool], confidence: float) -> None:
    expected = binomtest(sum(hits), len(hits)).proportion_ci(confidence, method="wilson")
    found = share_interval(np.array(hits), np.arange(len(hits)), confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=ROUNDED)


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.integers(1, 5),
)
def test_copies_with_equal_answers_count_once(hits: list[bool], copies: int) -> None:
    groups = np.repeat(np.arange(len(hits)), copies)
    repeated = np.repeat(hits, copies)
    assert effective_size(repeated, groups) == pytest.approx(len(hits))
    alone = share_interval(np.array(hits), np.arange(len(hits)), 0.95)
    assert share_interval(repeated, groups, 0.95) == pytest.approx(alone, abs=2 * ROUNDED)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), min_size=1, max_size=80))
def test_copies_never_narrow_the_interval_and_it_contains_the_share(
    images: list[tuple[bool, int]],
) -> None:
    hits, groups = (np.array(column) for column in zip(*images, strict=True))
    low, high = share_interval(hits, groups, 0.95)
    alone_low, alone_high = share_interval(hits, np.arange(len(hits)), 0.95)
    assert 0 <= low <= hits.mean() <= high <= 1
    assert high - low >= alone_high - alone_low - 2 * ROUNDED
    assert 1 <= effective_size(hits, groups) <= len(hits)


def _copied(
    rng: np.random.Generator, groups: int, share: float
) -> tuple[Bools, npt.NDArray[np.int64]]:
    """Up to four copies of each image, most of them with the answer of the first."""
    sizes = rng.integers(1, 5, groups)
    group_N = np.repeat(np.arange(groups), sizes)
    first = np.repeat(rng.random(groups) < share, sizes)
    own = rng.random(len(group_N)) < share
    return np.where(rng.random(len(group_N)) < 0.8, first, own), group_N


def test_in_large_sets_it_agrees_with_the_bootstrap_over_groups() -> None:
    hits, groups = _copied(np.random.default_rng(0), 1500, 0.7)
    bootstrap = GroupBootstrap(groups, replicates=4000)
    sums_BC = bootstrap.sums(np.stack([hits, np.ones(len(hits))], axis=1))
    expected = percentile_interval(sums_BC[:, 0] / sums_BC[:, 1], 0.95)
    found = share_interval(hits, groups, 0.95)
    width = expected[1] - expected[0]
    assert found == pytest.approx(expected, abs=0.06 * width)
    independent = share_interval(hits, np.arange(len(hits)), 0.95)
    assert width > 1.25 * (independent[1] - independent[0])


@pytest.mark.parametrize("share", [0.7, 0.97])
def test_intervals_of_copied_images_cover_the_truth_at_their_level(share: float) -> None:
    rng = np.random.default_rng(1)
    covered, naive = 0, 0
    for _ in range(600):
        hits, groups = _copied(rng, 120, share)
        low, high = share_interval(hits, groups, 0.95)
        covered += low <= share <= high
        low, high = share_interval(hits, np.arange(len(hits)), 0.95)
        naive += low <= share <= high
    assert 0.92 <= covered / 600 <= 0.985
    assert naive / 600 < 0.9


def test_answers_that_are_all_right_still_leave_doubt() -> None:
    low, high = share_interval(np.ones(12), np.arange(12), 0.95)
    assert low == pytest.approx(0.7575, abs=1e-3)
    assert high == 1
    dependent, _ = share_interval(np.ones(12), np.repeat(np.arange(3), 4), 0.95)
    assert dependent < low


def test_no_images_have_no_share() -> None:
    assert share_of(np.zeros(0), np.zeros(0, dtype=np.int64), 0.95) is None


def _delong(scores: npt.NDArray[np.float64], positive: Bools) -> tuple[float, float]:
    """Area and standard error, pair by pair (DeLong et al. 1988)."""
    wins = np.zeros((positive.sum(), (~positive).sum()))
    for (i, a), (j, b) in product(enumerate(scores[positive]), enumerate(scores[~positive])):
        wins[i, j] = (a > b) + 0.5 * (a == b)
    rows, columns = wins.mean(axis=1), wins.mean(axis=0)
    variance = rows.var(ddof=1) / len(rows) + columns.var(ddof=1) / len(columns)
    return float(wins.mean()), float(np.sqrt(variance))


@given(seed=st.integers(0, 2**16), levels=st.sampled_from([3, 8, 1000]))
def test_class_intervals_are_delongs_on_the_logit_scale(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, 26)])
    score = np.round((rng.random(30) + 0.3 * labels) / 1.3 * levels) / levels
    probs = np.stack([1 - score, score], axis=1)
    _, (_, found) = auroc_intervals(probs, labels, np.arange(30), 0.95)
    area, error = _delong(score, labels == 1)
    if found is None:
        assert area in (0, 1) or error < 1e-9
        return
    centre, half = np.log(area / (1 - area)), norm.ppf(0.975) * error / (area * (1 - area))
    expected = 1 / (1 + np.exp(-np.array([centre - half, centre + half])))
    assert found == pytest.approx(tuple(expected), abs=ROUNDED)


def test_the_interval_of_the_mean_agrees_with_the_bootstrap_over_groups() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(2)
    sizes = rng.integers(1, 4, 200)
    groups = np.repeat(np.arange(200), sizes)
    first = rng.integers(0, 3, 200)
    labels = np.repeat(first, sizes)
    probs_NK = draw_probabilities(first, 1.5, 3)[:, :3]
    probs = np.repeat(probs_NK / probs_NK.sum(axis=1, keepdims=True), sizes, axis=0)
    found, _ = auroc_intervals(probs, labels, groups, 0.95)
    assert found is not None
    counts_BN = GroupBootstrap(groups, replicates=200, seed=4).counts()
    values = [
        np.mean([roc_auc_score(labels == k, probs[:, k], sample_weight=c) for k in range(3)])
        for c in counts_BN
    ]
    expected = percentile_interval(np.array(values), 0.95)
    assert found == pytest.approx(expected, abs=0.2 * (expected[1] - expected[0]))
    alone, _ = auroc_intervals(probs, labels, np.arange(len(labels)), 0.95)
    assert alone is not None
    assert found[1] - found[0] > 1.2 * (alone[1] - alone[0])


@pytest.mark.parametrize(
    ("labels", "scores"),
    [
        ([0] * 12, np.linspace(0, 1, 12)),
        ([0] * 6 + [1] * 6, np.linspace(0, 1, 12)),
        ([0] * 11 + [1], np.linspace(0, 1, 12)),
        ([0, 1] * 6, np.full(12, 0.5)),
        ([0, 1], np.array([0.2, 0.1])),
    ],
    ids=["one class", "perfectly separated", "one image", "all tied", "two images"],
)
def test_degenerate_areas_have_no_interval(
    labels: list[int], scores: npt.NDArray[np.float64]
) -> None:
    probs = np.stack([1 - scores, scores], axis=1)
    mean, by_class = auroc_intervals(probs, np.array(labels), np.arange(len(labels)), 0.95)
    assert mean is None
    assert by_class == (None, None)
