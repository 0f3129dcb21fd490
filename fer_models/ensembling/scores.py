"""Scores from sums over images, so that they can be resampled: the metrics of `choose_by`.

N images, K classes, C columns, B replicates, A candidates.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_models.ensembling.config import Metric
from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.intervals import share_interval

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.95
_DECIMALS = 6
_SMALLEST_PROBABILITY = 1e-15


class Score(NamedTuple):
    """A score, and the ends of its interval at `CONFIDENCE`."""

    value: float
    low: float
    high: float


def columns(metric: Metric, probs_NK: Floats, labels_N: Ints) -> Floats:
    """What `score_of` sums up, N x C: C is 2, or 3 * K for macro_f1."""
    num_images, num_classes = probs_NK.shape
    if metric == "log_loss":
        label_probs_N = probs_NK[np.arange(num_images), labels_N]
        loss_N = -np.log(np.clip(label_probs_N, _SMALLEST_PROBABILITY, 1.0))
        return np.stack([loss_N, np.ones(num_images)], axis=1)
    predicted_N = probs_NK.argmax(axis=1)
    if metric == "accuracy":
        return np.stack([predicted_N == labels_N, np.ones(num_images)], axis=1).astype(np.float64)
    one_hot = np.eye(num_classes)
    predicted_NK, true_NK = one_hot[predicted_N], one_hot[labels_N]
    return np.concatenate([predicted_NK * true_NK, predicted_NK, true_NK], axis=1)


def score_of(metric: Metric, sums_XC: Floats) -> Floats:
    """The scores of sums of `columns`, ... x C to ...; equal to `fer_models.evaluation.metrics`."""
    if metric != "macro_f1":
        scores_X: Floats = sums_XC[..., 0] / sums_XC[..., 1]
        return scores_X
    hits_XK, predicted_XK, true_XK = np.split(sums_XC, 3, axis=-1)
    seen_XK = predicted_XK + true_XK
    f1_XK = np.divide(2 * hits_XK, seen_XK, out=np.zeros_like(seen_XK), where=seen_XK > 0)
    mean_X: Floats = f1_XK.sum(axis=-1) / (seen_XK > 0).sum(axis=-1)
    return mean_X


def score(metric: Metric, probs_NK: Floats, labels_N: Ints) -> float:
    """The score of one model's probabilities."""
    return float(score_of(metric, columns(metric, probs_NK, labels_N).sum(axis=0)))


def loss(metric: Metric, value: float) -> float:
    """A score as a number that is lower for better models."""
    return value if metric == "log_loss" else -value


def gain(metric: Metric, new: Floats, old: Floats) -> Floats:
    """By how much `new` is better than `old`: positive is better for every metric."""
    return old - new if metric == "log_loss" else new - old


def widened(metric: Metric, score: Score, deviation: float) -> Score:
    """The score with the interval of one more independent deviation (a standard deviation)."""
    margin = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2) * deviation
    low = score.value - math.hypot(score.value - score.low, margin)
    high = score.value + math.hypot(score.high - score.value, margin)
    highest = math.inf if metric == "log_loss" else 1.0
    return Score(score.value, round(max(low, 0.0), _DECIMALS), round(min(high, highest), _DECIMALS))


class Resampled:
    """The scores of several candidates on the same images and on the same resamples of them."""

    def __init__(
        self,
        metric: Metric,
        probs_ANK: Sequence[Floats],
        labels_N: Ints,
        bootstrap: GroupBootstrap,
    ) -> None:
        """Score all candidates on all images and on every replicate."""
        self._metric, self._groups_N = metric, bootstrap.groups_N
        columns_ANC = [columns(metric, probs_NK, labels_N) for probs_NK in probs_ANK]
        self._hits_AN = [one[:, 0] > 0 for one in columns_ANC] if metric == "accuracy" else []
        self.values_A = np.array([score_of(metric, one.sum(axis=0)) for one in columns_ANC])
        sums_BC = bootstrap.sums(np.concatenate(columns_ANC, axis=1))
        split_ABC = np.split(sums_BC, len(columns_ANC), axis=1)
        self.values_AB = np.stack([score_of(metric, one) for one in split_ABC])

    def score(self, number: int) -> Score:
        """The score of a candidate with its interval, rounded.

        The interval of an accuracy is that of the evaluation (`share_interval`); a model has one
        for its accuracy, wherever it is shown. Those of the other metrics are bootstrapped.
        """
        if self._metric == "accuracy":
            low, high = share_interval(self._hits_AN[number], self._groups_N, CONFIDENCE)
        else:
            low, high = percentile_interval(self.values_AB[number], CONFIDENCE)
        return Score(*(round(float(v), _DECIMALS) for v in (self.values_A[number], low, high)))

    def gain(self, new: int, old: int) -> tuple[float, float]:
        """By how much `new` is better than `old`, and the standard error of that difference."""
        difference = gain(self._metric, self.values_A[new], self.values_A[old])
        differences_B = gain(self._metric, self.values_AB[new], self.values_AB[old])
        return round(float(difference), _DECIMALS), round(float(differences_B.std()), _DECIMALS)

    def gain_score(self, new: int, old: int) -> Score:
        """The gain with its interval, rounded."""
        value, _ = self.gain(new, old)
        differences_B = gain(self._metric, self.values_AB[new], self.values_AB[old])
        low, high = percentile_interval(differences_B, CONFIDENCE)
        return Score(value, round(low, _DECIMALS), round(high, _DECIMALS))
