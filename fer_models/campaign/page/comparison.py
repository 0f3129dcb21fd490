"""Experiments of a campaign compared with their baselines, over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.plan import Task
from fer_models.campaign.result import TrainingResult

CONFIDENCE = 0.95
_MIN_SEEDS = 2
_DRAWS_SEED = 0

Measured = Mapping[str, Sequence[TrainingResult]]
"""Results by name of the experiment, in the order of the plan."""


@dataclass(frozen=True)
class Difference:
    """Mean accuracy with the mirror image against that of the baseline, in percentage points.

    Attributes:
        points: positive where the experiment is better than its baseline.
        low: lower end of the interval; None where one of the two has a single seed.
        high: upper end.
    """

    points: float
    low: float | None = None
    high: float | None = None


def measured_by(plan: CampaignPlan, results: Sequence[TrainingResult]) -> Measured:
    """The results of each experiment that has any, by seed.

    Final fits are left out, and what other plans, or other settings, have trained under the same
    name.
    """
    found = {
        experiment.name: [
            one
            for one in sorted(results, key=lambda one: one.seed)
            if one.experiment == experiment.name
            and one.scores
            and one.key == Task(experiment, one.seed).key(plan, one.snapshot_id)
        ]
        for experiment in plan.experiments
    }
    return {name: own for name, own in found.items() if own}


def differences(plan: CampaignPlan, measured: Measured) -> dict[str, Difference]:
    """The difference of each experiment to its baseline, where both have results.

    Intervals are those of Dunnett's test (1955): simultaneous ones for all experiments with the
    same baseline, from the variance that all of them have over seeds. Of twenty campaigns in
    which nothing helps, nineteen show no interval without zero. They say how much is chance of
    the seed, not of the images.

    Args:
        plan: the baselines.
        measured: results of at least one seed; see `measured_by`.
    """
    found: dict[str, Difference] = {}
    for baseline, theirs in measured.items():
        groups = {
            one.name: accuracies(measured[one.name])
            for one in plan.experiments
            if one.baseline == baseline and one.name in measured
        }
        found |= _compared(groups, accuracies(theirs))
    return {name: found[name] for name in measured if name in found}


def accuracies(results: Sequence[TrainingResult]) -> list[float]:
    """Accuracy of each seed with the mirror image, in percent."""
    return [100 * one.scores["flip"].accuracy for one in results]


def _compared(groups: Mapping[str, list[float]], baseline: list[float]) -> dict[str, Difference]:
    found = {
        name: Difference(float(np.mean(values) - np.mean(baseline)))
        for name, values in groups.items()
    }
    repeated = {name: values for name, values in groups.items() if len(values) >= _MIN_SEEDS}
    spread = sum(float(np.ptp(values)) for values in (baseline, *repeated.values()))
    if not repeated or len(baseline) < _MIN_SEEDS or not spread:
        return found
    return found | _with_intervals(repeated, baseline)


def _with_intervals(
    groups: Mapping[str, list[float]], baseline: list[float]
) -> dict[str, Difference]:
    from scipy.stats import dunnett

    # The critical value is integrated by drawn points: the same ones each time.
    test = dunnett(*groups.values(), control=baseline, rng=np.random.default_rng(_DRAWS_SEED))
    interval = test.confidence_interval(CONFIDENCE)
    lows, highs = np.atleast_1d(interval.low), np.atleast_1d(interval.high)
    return {
        name: Difference(float(np.mean(values) - np.mean(baseline)), float(low), float(high))
        for (name, values), low, high in zip(groups.items(), lows, highs, strict=True)
    }
