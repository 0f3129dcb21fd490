"""The decision: all criteria, and the reason in a sentence."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fer_models.evaluation.intervals import share_interval
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.gate.absolute import absolute_criteria
from fer_models.promotion.gate.evidence import Evidence
from fer_models.promotion.gate.paired import (
    BETTER,
    CLASS_LOSS,
    NOT_WORSE,
    PairedResult,
    class_loss_criterion,
    compare_with_intervals,
    not_worse_criterion,
    slice_loss_criterion,
)
from fer_models.promotion.gate.row import (
    GateCriterion,
    interval,
    not_judged,
    percent,
    signed_points,
)
from fer_models.promotion.gate.worth import WORTH, worth_criteria


@dataclass(frozen=True)
class GateDecision:
    """Whether a candidate is promoted, and why; `result` is None for a first champion."""

    promoted: bool
    reason: str
    criteria: tuple[GateCriterion, ...]
    result: PairedResult | None

    def comparison(self, level: float) -> dict[str, Any] | None:
        """The figures of the paired comparison, for the decision's file."""
        if self.result is None:
            return None
        return {
            **asdict(self.result.counts),
            "difference": self.result.difference,
            "difference_low": self.result.low,
            "difference_high": self.result.high,
            "confidence": 1 - level,
        }


def decide(evidence: Evidence, config: PromotionConfig) -> GateDecision:
    """Judge every criterion; a candidate is promoted if none of them blocks it.

    Example:
        decision = decide(evidence, PromotionConfig())
        for criterion in decision.criteria:
            print(criterion.name, criterion.figure, criterion.limit, criterion.outcome)
    """
    criteria = absolute_criteria(evidence, config)
    champion, result = evidence.champion, None
    if champion is None:
        criteria.append(not_judged("champion", "compared with it", evidence.no_champion))
    elif not champion.compared_N.any():
        criteria.append(_not_comparable(evidence))
    else:
        rows = champion.compared_N
        result = compare_with_intervals(
            evidence.correct[rows],
            champion.correct_N[rows],
            evidence.groups_N[rows],
            config.level,
        )
        criteria += [
            not_worse_criterion(result, config),
            *worth_criteria(result, champion, config),
            class_loss_criterion(evidence, config),
            slice_loss_criterion(evidence, config),
        ]
    promoted = not any(criterion.blocks for criterion in criteria)
    return GateDecision(
        promoted=promoted,
        reason=_reason(promoted, evidence, result, criteria, config),
        criteria=tuple(criteria),
        result=result,
    )


def _reason(
    promoted: bool,
    evidence: Evidence,
    result: PairedResult | None,
    criteria: Sequence[GateCriterion],
    config: PromotionConfig,
) -> str:
    verdict = "Promoted" if promoted else "Not promoted"
    figures = _first(evidence, config) if result is None else _versus(result, config)
    texts = _grounds(criteria) if promoted else _objections(criteria)
    if promoted and result is None:
        reason = f"{verdict}: {evidence.no_champion}; {figures}, {texts}"
    else:
        reason = f"{verdict}: {figures}; {texts}"
    return "; ".join([reason, *evidence.all_notes])


def _not_comparable(evidence: Evidence) -> GateCriterion:
    return GateCriterion(
        name=NOT_WORSE,
        figure="no images to compare",
        limit="compared on images that the candidate was not trained on",
        passed=False,
        text=f"the candidate was trained on all {len(evidence.labels_N):,} validation images, so "
        "it can't be compared with the champion",
    )


def _first(evidence: Evidence, config: PromotionConfig) -> str:
    correct = evidence.correct
    low, high = share_interval(correct, evidence.groups_N, 1 - config.level)
    return (
        f"{percent(float(correct.mean()))} of {len(correct):,} validation images "
        f"({percent(1 - config.level)} interval {interval(low, high)})"
    )


def _versus(result: PairedResult, config: PromotionConfig) -> str:
    counts = result.counts
    return (
        f"{percent(counts.candidate_accuracy)} against the champion's "
        f"{percent(counts.champion_accuracy)} on the same {counts.n:,} validation images "
        f"({signed_points(result.difference)}, {percent(1 - config.level)} interval "
        f"{interval(result.low, result.high)}; McNemar p = {counts.p_value:.2g})"
    )


def _grounds(criteria: Sequence[GateCriterion]) -> str:
    """Why it was promoted: the reason for the change, what did not get worse, and what chance did.

    What chance explains is named, since the figure alone is beyond its limit.
    """
    found = {criterion.name: criterion for criterion in criteria}
    if WORTH not in found:
        texts = [found["accuracy"].limit, found["class floor"].text]
    else:
        texts = [found[CLASS_LOSS].text] if found[CLASS_LOSS].judged else []
        if not found[BETTER].passed:
            texts = [found[NOT_WORSE].text, found[WORTH].text, *texts]
    by_chance = [criterion.text for criterion in criteria if criterion.by_chance]
    return "; ".join(dict.fromkeys([*texts, *by_chance]))


def _objections(criteria: Sequence[GateCriterion]) -> str:
    return "; ".join(criterion.text for criterion in criteria if criterion.blocks)
