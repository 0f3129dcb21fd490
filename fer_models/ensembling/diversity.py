"""What the members add to each other: disagreement, common errors, and the gain by each.

M members, N images, K classes.
"""

from itertools import combinations
from typing import Any

import numpy as np

from fer_models.ensembling.config import Method, Metric
from fer_models.ensembling.crossfit import Fitting, cross_fit_method
from fer_models.ensembling.images import Images
from fer_models.ensembling.scores import Ints, Resampled, Score

_DECIMALS = 6


def disagreements(images: Images) -> list[dict[str, Any]]:
    """One row per pair of members, in order.

    Returns:
        `members` (their two numbers), `disagreement` (share of images with different predictions,
        0..1), `both_wrong` (share of images that neither predicts correctly, 0..1) and
        `error_correlation` (phi coefficient of being wrong, -1..1; None if a member makes no
        error or only errors). Low correlations make good ensembles.
    """
    predicted_MN: Ints = images.probs_MNK.argmax(axis=2)
    wrong_MN = predicted_MN != images.labels_N
    return [
        {
            "members": (a, b),
            "disagreement": round(float((predicted_MN[a] != predicted_MN[b]).mean()), _DECIMALS),
            "both_wrong": round(float((wrong_MN[a] & wrong_MN[b]).mean()), _DECIMALS),
            "error_correlation": _phi(wrong_MN[a], wrong_MN[b]),
        }
        for a, b in combinations(range(len(predicted_MN)), 2)
    ]


def member_gains(fitting: Fitting, method: Method, metric: Metric) -> list[Score]:
    """By how much each member improves the cross-validated score of an ensemble of all of them.

    The method is fitted again without the member. Positive gains are improvements, for every
    metric; the interval is that of the paired difference. Empty if there is one member only.
    """
    images = fitting.chosen_on
    num_members = len(images.probs_MNK)
    if num_members == 1:
        return []
    fits = [fitting, *(fitting.without_member(number) for number in range(num_members))]
    probs_ANK = [cross_fit_method(one, method, metric).held_out() for one in fits]
    found = Resampled(metric, probs_ANK, images.labels_N, images.bootstrap)
    return [found.gain_score(0, without) for without in range(1, len(fits))]


def _phi(first: np.ndarray[Any, np.dtype[np.bool_]], second: Any) -> float | None:
    a, b = first.mean(), second.mean()
    spread = np.sqrt(a * (1 - a) * b * (1 - b))
    if spread == 0:
        return None
    return round(float(((first & second).mean() - a * b) / spread), _DECIMALS)
