"""Criteria against the champion, on the same M images."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.promotion.compare import (
    Bools,
    PairedComparison,
    compare_paired,
    difference_interval,
)
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.absolute import SEED
from fer_models.promotion.gate.evidence import Evidence, Ints
from fer_models.promotion.gate.row import (
    GateCriterion,
    not_judged,
    percent,
    points,
    signed_points,
)

NOT_WORSE = "not worse"
BETTER = "better"
CLASS_LOSS = "class loss"
SLICE_LOSS = "slice loss"


@dataclass(frozen=True)
class PairedResult:
    """The paired comparison with intervals of the difference, candidate minus champion (-1..1)."""

    counts: PairedComparison
    difference: float
    low: float
    """Two-sided interval with a confidence of 1 - level."""
    high: float
    lower_end: float
    """One-sided, with the same confidence."""

    def is_better(self, config: PromotionConfig) -> bool:
        """Whether chance does not explain that the candidate is more accurate."""
        by_test = self.difference > 0 and self.counts.p_value <= config.level
        by_interval = self.low > 0
        return {"mcnemar": by_test, "bootstrap": by_interval, "both": by_test and by_interval}[
            config.better_by
        ]

    def is_worse(self, config: PromotionConfig) -> bool:
        """Whether chance does not explain that the candidate is less accurate (McNemar)."""
        return self.difference < 0 and self.counts.p_value <= config.level


def compare_with_intervals(
    candidate_M: Bools, champion_M: Bools, groups_M: Ints, level: float
) -> PairedResult:
    """Compare two models on the same images, of which those of a group are copies of each other.

    The interval is the wider end by end of two: the percentile bootstrap over groups, which counts
    copies once, and that of Agresti and Min, which keeps its width where few images differ and a
    bootstrap has none.
    """
    counts = compare_paired(candidate_M, champion_M)
    gains_M = candidate_M.astype(np.float64) - champion_M
    columns = np.column_stack([gains_M, np.ones(len(gains_M))])
    sums_BC = GroupBootstrap(groups_M, seed=SEED).sums(columns)
    differences_B = sums_BC[:, 0] / sums_BC[:, 1]

    def ends(confidence: float) -> tuple[float, float]:
        first = percentile_interval(differences_B, confidence)
        second = _score_interval(gains_M, groups_M, confidence)
        return min(first[0], second[0]), max(first[1], second[1])

    low, high = ends(1 - level)
    return PairedResult(
        counts=counts,
        difference=float(gains_M.mean()),
        low=low,
        high=high,
        lower_end=ends(max(1 - 2 * level, 0.01))[0],
    )


def is_not_worse(result: PairedResult, config: PromotionConfig) -> bool:
    """Whether a loss of more than the margin is excluded, with confidence."""
    return result.lower_end >= -config.max_regression


def not_worse_criterion(result: PairedResult, config: PromotionConfig) -> GateCriterion:
    """The row of `is_not_worse`."""
    passed = is_not_worse(result, config)
    margin = f"max_regression {points(config.max_regression)} points"
    loss = points(max(0.0, -result.lower_end))
    confidence = percent(1 - config.level)
    return GateCriterion(
        name=NOT_WORSE,
        figure=f"at most {loss} points worse",
        limit=f"at most {points(config.max_regression)} points worse ({confidence} confidence)",
        passed=passed,
        text=f"not worse by more than {margin} ({confidence} confidence)"
        if passed
        else f"a loss of up to {loss} points can't be excluded on {result.counts.n:,} images "
        f"({confidence} confidence, {margin})",
        value=result.difference,
        low=result.lower_end,
        bound=-config.max_regression,
    )


def better_criterion(result: PairedResult, config: PromotionConfig, part_of: str) -> GateCriterion:
    """Whether chance does not explain that the candidate is more accurate."""
    passed = result.is_better(config)
    method = {"mcnemar": "McNemar", "bootstrap": "interval above 0", "both": "McNemar, interval"}
    text = "better than the champion"
    if not passed:
        worse = result.is_worse(config)
        text = "worse than the champion" if worse else "not distinguishable from the champion"
    return GateCriterion(
        name=BETTER,
        figure=f"{signed_points(result.difference)}, p = {result.counts.p_value:.2g}",
        limit=f"above 0 at level {config.level:g} ({method[config.better_by]})",
        passed=passed,
        text=text,
        part_of=part_of,
        value=result.difference,
        low=result.low,
        high=result.high,
        bound=0.0,
    )


def class_loss_criterion(evidence: Evidence, config: PromotionConfig) -> GateCriterion:
    """Whether a class demonstrably lost more than is accepted."""
    parts = {name: evidence.labels_N == number for number, name in enumerate(evidence.class_names)}
    return _losses(CLASS_LOSS, "class", parts, evidence, config.max_class_loss, config.level)


def slice_loss_criterion(evidence: Evidence, config: PromotionConfig) -> GateCriterion:
    """The same for the slices, if there are any."""
    if not evidence.slices:
        limit = f"no slice more than {points(config.max_slice_loss)} points worse"
        return not_judged(SLICE_LOSS, limit, "no slices are defined for these images")
    parts = evidence.slices
    return _losses(SLICE_LOSS, "slice", parts, evidence, config.max_slice_loss, config.level)


@dataclass(frozen=True)
class _Part:
    name: str
    n: int
    lost: int
    """Images that the candidate no longer classifies correctly, net of those it gained."""
    high: float
    """One-sided upper end of the difference, candidate minus champion."""

    @property
    def loss(self) -> float:
        return self.lost / self.n

    def __str__(self) -> str:
        return f"{self.name} {points(self.loss)} points ({self.lost} of {self.n} images)"


def _losses(
    name: str,
    noun: str,
    parts: Mapping[str, Bools],
    evidence: Evidence,
    limit: float,
    level: float,
) -> GateCriterion:
    requirement = f"no {noun} more than {points(limit)} points worse"
    found = _parts(parts, evidence, level)
    if not found:
        return not_judged(name, requirement, f"no {noun} has images to compare")
    too_much = [part for part in found if part.high < -limit]
    worst = max(found, key=lambda part: part.loss)
    text = f"no {noun} lost"
    if worst.loss > 0:
        text = f"no {noun} lost more than {points(worst.loss)} points"
    if too_much:
        listed = ", ".join(str(part) for part in sorted(too_much, key=lambda part: -part.loss))
        text = f"more than {points(limit)} points lost by {noun}: {listed}"
    elif worst.loss > limit:
        text = f"no {noun} lost more than chance explains (most: {worst})"
    return GateCriterion(
        name=name,
        figure=f"{worst.name} {signed_points(-worst.loss)}",
        limit=requirement,
        passed=not too_much,
        by_chance=worst.loss > limit and not too_much,
        text=text,
        value=-worst.loss,
        high=worst.high,
        bound=-limit,
    )


def _parts(parts: Mapping[str, Bools], evidence: Evidence, level: float) -> list[_Part]:
    """The parts with images to compare; all together err by chance at `level` (Bonferroni)."""
    champion = evidence.champion
    assert champion is not None
    compared = {part: rows & champion.compared_N for part, rows in parts.items()}
    judged = {part: rows for part, rows in compared.items() if rows.any()}
    confidence = max(1 - 2 * level / max(len(judged), 1), 0.01)
    gains_N = evidence.correct.astype(np.float64) - champion.correct_N
    return [
        _Part(
            part,
            int(rows.sum()),
            -int(gains_N[rows].sum()),
            _score_interval(gains_N[rows], evidence.groups_N[rows], confidence)[1],
        )
        for part, rows in judged.items()
    ]


def _score_interval(
    gains_M: npt.NDArray[np.float64], groups_M: Ints, confidence: float
) -> tuple[float, float]:
    """Agresti and Min's interval, with counts scaled to the number of independent images.

    Copies count as fully dependent: M^2 / sum of the squared sizes of the groups (Kish 1965).
    """
    _, sizes = np.unique(groups_M, return_counts=True)
    scale = len(gains_M) / float((sizes.astype(np.float64) ** 2).sum())
    only_champion, only_candidate = (gains_M < 0).sum() * scale, (gains_M > 0).sum() * scale
    return difference_interval(
        float(only_champion), float(only_candidate), len(gains_M) * scale, confidence
    )
