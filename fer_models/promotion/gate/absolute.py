"""Criteria that a candidate must fulfil whatever the champion is.

N validation images, K classes, B bootstrap replicates, C bins of confidence. Limits on classes and
on calibration are judged by intervals: chance alone does not block a candidate.
"""

import math

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import scaled_out_of_fold
from fer_models.evaluation.intervals import effective_size, share_interval
from fer_models.evaluation.metrics import accuracy, calibration_error
from fer_models.evaluation.predictions import Predictions
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.evidence import Evidence, Ints, Probabilities
from fer_models.promotion.gate.row import GateCriterion, not_judged, percent

SEED = 0
_BY_CHANCE = "which chance explains"


def absolute_criteria(evidence: Evidence, config: PromotionConfig) -> list[GateCriterion]:
    """Accuracy, the floor of each class, calibration, and the verdict about the data."""
    return [
        _accuracy(evidence, config),
        _class_floor(evidence, config),
        _calibration(evidence, config),
        _data_gate(evidence),
    ]


def _accuracy(evidence: Evidence, config: PromotionConfig) -> GateCriterion:
    found = accuracy(evidence.probs_NK, evidence.labels_N)
    low, high = share_interval(evidence.correct, evidence.groups_N, 1 - config.level)
    passed = found >= config.min_accuracy
    relation = "reaches" if passed else "is below"
    return GateCriterion(
        name="accuracy",
        figure=percent(found),
        limit=f"at least {percent(config.min_accuracy)}",
        passed=passed,
        text=f"validation accuracy {percent(found)} {relation} min_accuracy "
        f"{percent(config.min_accuracy)}",
        value=found,
        low=low,
        high=high,
        bound=config.min_accuracy,
    )


def _class_floor(evidence: Evidence, config: PromotionConfig) -> GateCriterion:
    """All classes together are blocked by chance at most as often as `level` (Bonferroni)."""
    found = []
    for number in np.unique(evidence.labels_N).tolist():
        rows = evidence.labels_N == number
        correct, n = int(evidence.correct[rows].sum()), int(rows.sum())
        size = round(effective_size(evidence.correct[rows], evidence.groups_N[rows]))
        chance = _chance_of_at_most(round(correct * size / n), size, config.min_class_recall)
        found.append((correct / n, evidence.class_names[number], correct, n, chance))
    below = [one for one in sorted(found) if one[0] < config.min_class_recall]
    blocking = [one for one in below if one[4] <= config.level / len(found)]
    recall, name = min(found)[:2]
    floor = f"min_class_recall {percent(config.min_class_recall)}"
    listed = ", ".join(f"{one[1]} ({one[2]} of {one[3]} images)" for one in blocking or below)
    text = f"no class is below {floor}"
    if blocking:
        text = f"below {floor}: {listed}"
    elif below:
        text = f"{listed} {'is' if len(below) == 1 else 'are'} below {floor}, {_BY_CHANCE}"
    return GateCriterion(
        name="class floor",
        figure=f"{name} {percent(recall)}",
        limit=f"no class demonstrably below {percent(config.min_class_recall)}",
        passed=not blocking,
        by_chance=bool(below) and not blocking,
        text=text,
        value=recall,
        bound=config.min_class_recall,
    )


def _chance_of_at_most(correct: int, n: int, share: float) -> float:
    """Probability of at most so many successes in n trials (exact binomial test, one-sided)."""
    if share in (0, 1):
        return float(share == 0 or correct >= n)
    logs = [
        math.lgamma(n + 1)
        - math.lgamma(k + 1)
        - math.lgamma(n - k + 1)
        + k * math.log(share)
        + (n - k) * math.log1p(-share)
        for k in range(correct + 1)
    ]
    return math.fsum(math.exp(log) for log in logs)


def _calibration(evidence: Evidence, config: PromotionConfig) -> GateCriterion:
    """Without a temperature of its own, the error that a temperature would leave is judged."""
    bins = EvaluationConfig().calibration_bins
    raw = calibration_error(evidence.probs_NK, evidence.labels_N, bins)
    probs_NK, how = evidence.probs_NK, "with the candidate's temperature"
    scaled_NK = None if evidence.has_temperature else _scaled(evidence)
    if scaled_NK is not None:
        probs_NK = scaled_NK
        how = f"after temperature scaling; {percent(raw)} without"
    found = calibration_error(probs_NK, evidence.labels_N, bins)
    above, low = found > config.max_calibration_error, found
    if above:
        low = _lower_end(probs_NK, evidence, bins, config.level)
    passed = low <= config.max_calibration_error
    limit = f"max_calibration_error {percent(config.max_calibration_error)}"
    by_chance = above and passed
    return GateCriterion(
        name="calibration",
        figure=percent(found),
        limit=f"at most {percent(config.max_calibration_error)}",
        passed=passed,
        by_chance=by_chance,
        text=f"expected calibration error {percent(found)} ({how}) is "
        f"{'above' if above else 'within'} {limit}{f', {_BY_CHANCE}' if by_chance else ''}",
        value=found,
        low=low,
        bound=config.max_calibration_error,
    )


def _scaled(evidence: Evidence) -> Probabilities | None:
    """Scaled by temperatures that were fitted on other folds; None with a single group."""
    everything = Predictions(
        np.arange(len(evidence.labels_N)), evidence.labels_N, evidence.probs_NK
    )
    folds = EvaluationConfig().calibration_folds
    return scaled_out_of_fold(everything, evidence.groups_N, folds, SEED)


def _lower_end(probs_NK: Probabilities, evidence: Evidence, bins: int, level: float) -> float:
    """One-sided lower end of the calibration error (basic bootstrap, which corrects its bias).

    Noise only ever adds to the error; replicates exceed the figure by as much as the figure
    exceeds the truth.
    """
    gaps_NC = _gaps_by_bin(probs_NK, evidence.labels_N, bins)
    columns = np.column_stack([gaps_NC, np.ones(len(gaps_NC))])
    sums_BC = GroupBootstrap(evidence.groups_N, seed=SEED).sums(columns)
    errors_B = np.abs(sums_BC[:, :-1]).sum(axis=1) / sums_BC[:, -1]
    found = float(np.abs(gaps_NC.sum(axis=0)).sum() / len(gaps_NC))
    _, high = percentile_interval(errors_B, 1 - 2 * level)
    return max(0.0, 2 * found - high)


def _gaps_by_bin(probs_NK: Probabilities, labels_N: Ints, bins: int) -> npt.NDArray[np.float64]:
    """Confidence minus correctness of each image, in the column of its bin."""
    confidence_N = np.clip(probs_NK.max(axis=1), 0, 1)
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    gaps_NC = np.zeros((len(labels_N), bins))
    bins_N = np.searchsorted(edges, confidence_N, side="left")
    gaps_NC[np.arange(len(labels_N)), bins_N] = confidence_N - (probs_NK.argmax(axis=1) == labels_N)
    return gaps_NC


def _data_gate(evidence: Evidence) -> GateCriterion:
    verdict = evidence.data_gate
    if verdict is None:
        return not_judged("data gate", "passed", "no verdict about this data is known")
    errors = f"{verdict.num_errors} error{'s' if verdict.num_errors != 1 else ''}"
    return GateCriterion(
        name="data gate",
        figure="passed" if verdict.passed else errors,
        limit="passed",
        passed=verdict.passed,
        text="the data passed the data gate"
        if verdict.passed
        else f"the data gate rejected the data: {errors}",
        value=float(verdict.num_errors),
        bound=0.0,
    )
