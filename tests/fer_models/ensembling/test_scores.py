"""Scores from sums, compared with the metrics of the evaluation and with scipy's bootstrap."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from fer_models.ensembling.config import METRICS, Metric
from fer_models.ensembling.scores import CONFIDENCE, Resampled, columns, score
from fer_models.evaluation import metrics
from fer_models.evaluation.bootstrap import GroupBootstrap
from fer_models.evaluation.intervals import share_of
from tests.fer_models.ensembling.simulated import draw_members


@pytest.mark.parametrize("metric", METRICS)
def test_scores_are_those_of_the_evaluation(metric: Metric) -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 90, (1.5,))
    keep = labels_N != 1  # macro F1 leaves out classes without images and predictions
    probs_NK, labels = probs_MNK[0][keep], labels_N[keep]
    expected = {
        "accuracy": metrics.accuracy(probs_NK, labels),
        "log_loss": metrics.log_loss(probs_NK, labels),
        "macro_f1": metrics.macro_f1(metrics.confusion_matrix(probs_NK, labels)),
    }
    assert score(metric, probs_NK, labels) == pytest.approx(expected[metric], abs=1e-12)


def test_intervals_of_scores_and_gains_agree_with_scipy() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(3), 500, (1.8, 1.4))
    draws = GroupBootstrap(np.arange(500), replicates=4000)
    found = Resampled("accuracy", list(probs_MNK), labels_N, draws)
    hits_MN = (probs_MNK.argmax(axis=2) == labels_N).astype(float)
    for values, mine in (
        (hits_MN[0], found.score(0)),
        (hits_MN[0] - hits_MN[1], found.gain_score(0, 1)),
    ):
        reference = bootstrap(
            (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(0)
        )
        assert mine.value == pytest.approx(values.mean(), abs=1e-6)
        assert mine.low == pytest.approx(reference.confidence_interval.low, abs=0.006)
        assert mine.high == pytest.approx(reference.confidence_interval.high, abs=0.006)
        if mine == found.gain_score(0, 1):
            assert found.gain(0, 1)[1] == pytest.approx(reference.standard_error, rel=0.1)


def test_an_accuracy_has_the_interval_of_the_evaluation() -> None:
    rng = np.random.default_rng(5)
    probs_MNK, labels_N = draw_members(rng, 120, (1.8, 9.0))
    groups_N = rng.integers(90, size=120)
    probs_MNK[1] = np.eye(probs_MNK.shape[2])[labels_N]  # all right: a bootstrap has no spread
    found = Resampled("accuracy", list(probs_MNK), labels_N, GroupBootstrap(groups_N))
    for number, probs_NK in enumerate(probs_MNK):
        share = share_of(probs_NK.argmax(axis=1) == labels_N, groups_N, CONFIDENCE)
        assert share is not None
        assert found.score(number) == pytest.approx((share.value, share.low, share.high), abs=1e-6)
    assert found.score(1).low < 1


def test_a_lower_loss_is_a_gain() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 300, (2.5, 0.5))
    found = Resampled("log_loss", list(probs_MNK), labels_N, GroupBootstrap(np.arange(300)))
    assert found.values_A[0] < found.values_A[1]
    assert found.gain(0, 1)[0] > 0 > found.gain(1, 0)[0]


def test_columns_add_up_over_parts() -> None:
    probs_MNK, labels_N = draw_members(np.random.default_rng(0), 40, (1.5,))
    for metric in METRICS:
        parts = [columns(metric, probs_MNK[0][s], labels_N[s]) for s in (slice(15), slice(15, 40))]
        whole = columns(metric, probs_MNK[0], labels_N)
        np.testing.assert_allclose(np.concatenate(parts).sum(axis=0), whole.sum(axis=0))
