"""Greedy selection, compared with a plain search by scikit-learn's metrics."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score
from sklearn.metrics import log_loss as sklearn_log_loss

from fer_models.combination.rules import Floats
from fer_models.ensembling.config import METRICS, Metric
from fer_models.ensembling.fitting.greedy import greedy_counts
from fer_models.ensembling.scores import Ints
from tests.fer_models.ensembling.simulated import draw_members


def loss(metric: Metric, probs_NK: Floats, labels_N: Ints) -> float:
    predicted_N = probs_NK.argmax(axis=1)
    if metric == "accuracy":
        return -float(accuracy_score(labels_N, predicted_N))
    if metric == "macro_f1":
        return -float(f1_score(labels_N, predicted_N, average="macro"))
    return float(sklearn_log_loss(labels_N, probs_NK, labels=range(probs_NK.shape[1])))


def rank(metric: Metric, counts: Ints, probs_MNK: Floats, labels_N: Ints) -> tuple[float, float]:
    mean_NK = np.tensordot(counts / counts.sum(), probs_MNK, axes=1)
    return tuple(round(loss(m, mean_NK, labels_N), 9) for m in (metric, "log_loss"))  # type: ignore[return-value]


def plain_search(metric: Metric, probs_MNK: Floats, labels_N: Ints) -> Ints:
    """Sorted initialisation, then the best addition up to 25 members; the best on the way."""
    unit = np.eye(len(probs_MNK), dtype=np.int64)
    order = sorted(range(len(unit)), key=lambda m: rank(metric, unit[m], probs_MNK, labels_N))
    starts = [unit[order[: number + 1]].sum(axis=0) for number in range(len(unit))]
    tried = starts
    counts = min(starts, key=lambda c: (rank(metric, c, probs_MNK, labels_N), c.sum()))
    while counts.sum() < 25:
        grown = [counts + one for one in unit]
        counts = min(grown, key=lambda c: rank(metric, c, probs_MNK, labels_N))
        tried.append(counts)
    return min(tried, key=lambda c: (rank(metric, c, probs_MNK, labels_N), c.sum()))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("seed", range(2))
def test_selects_what_a_plain_search_does(metric: Metric, seed: int) -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(seed), 300, (1.2, 1.8, 1.7, 0.5))
    counts = greedy_counts(metric, probs_MNK, labels_N)
    np.testing.assert_array_equal(counts, plain_search(metric, probs_MNK, labels_N))


def test_never_worse_than_the_best_member_on_its_images() -> None:
    for seed in range(5):
        probs_MNK, labels_N = draw_members(np.random.default_rng(seed), 80, (2.0, 1.0, 0.3))
        counts = greedy_counts("accuracy", probs_MNK, labels_N)
        mean_NK = np.tensordot(counts / counts.sum(), probs_MNK, axes=1)
        best = max((probs.argmax(axis=1) == labels_N).mean() for probs in probs_MNK)
        assert (mean_NK.argmax(axis=1) == labels_N).mean() >= best


def test_equal_members_give_the_first_one() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 50, (1.5,))
    counts = greedy_counts("accuracy", np.repeat(probs_MNK, 3, axis=0), labels_N)
    np.testing.assert_array_equal(counts, [1, 0, 0])
