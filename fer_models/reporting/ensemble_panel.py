"""What the members add to each other, and what an ensemble costs (facts of `ensemble.json`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PairCell:
    """Two members: the share of images on which their answers differ (0..1); None for oneself."""

    disagreement: float | None
    note: str


@dataclass(frozen=True)
class GainRow:
    """By how much the ensemble is better with a member than without it; positive is better."""

    name: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CostPoint:
    """A model: its cross-validated accuracy (0..1, with interval), and multiply-adds per image."""

    name: str
    is_ensemble: bool
    is_candidate: bool
    accuracy: float
    low: float
    high: float
    multiply_adds: int


@dataclass(frozen=True)
class EnsemblePanel:
    """The section about the ensemble; parts that an artifact lacks are empty."""

    members: tuple[str, ...]
    matrix: tuple[tuple[PairCell, ...], ...]
    gains: tuple[GainRow, ...]
    gain_method: str
    gain_metric: str
    points: tuple[CostPoint, ...]
    nested: str
    """The score of the whole selection on images that it did not see, in words."""


def ensemble_panel(choice: Mapping[str, Any]) -> EnsemblePanel | None:
    """The section of a stored choice; None for a single member, or an older artifact."""
    names = {one["model_id"]: one["name"] for one in choice["candidates"]}
    members = [one["model_id"] for one in choice["candidates"] if one["method"] is None]
    pairs = choice.get("disagreements")
    if not pairs or len(members) < 2:
        return None
    gains = choice.get("member_gains") or {}
    return EnsemblePanel(
        members=tuple(names[member] for member in members),
        matrix=_matrix(members, pairs),
        gains=tuple(
            GainRow(names[member], one["value"], one["low"], one["high"])
            for member, one in (gains.get("by_member") or {}).items()
        ),
        gain_method=str(gains.get("method", "")),
        gain_metric=str(gains.get("metric", "")).replace("_", " "),
        points=_points(choice),
        nested=_nested(choice),
    )


def _matrix(
    members: Sequence[str], pairs: Sequence[Mapping[str, Any]]
) -> tuple[tuple[PairCell, ...], ...]:
    found = {frozenset(pair["members"]): pair for pair in pairs}
    return tuple(
        tuple(_cell(None if a == b else found.get(frozenset((a, b)))) for b in members)
        for a in members
    )


def _cell(pair: Mapping[str, Any] | None) -> PairCell:
    if pair is None:
        return PairCell(None, "")
    correlation = pair.get("error_correlation")
    note = f"both wrong {100 * pair['both_wrong']:.1f} %"
    if correlation is not None:
        note += f", r = {correlation:.2f}"
    return PairCell(float(pair["disagreement"]), note)


def _points(choice: Mapping[str, Any]) -> tuple[CostPoint, ...]:
    points = []
    for one in choice["candidates"]:
        accuracy = (one.get("cross_validated") or {}).get("accuracy")
        if accuracy is not None and one.get("multiply_adds"):
            points.append(
                CostPoint(
                    name=one["name"],
                    is_ensemble=one["method"] is not None,
                    is_candidate=one["model_id"] == choice["chosen"],
                    accuracy=accuracy["value"],
                    low=accuracy["low"],
                    high=accuracy["high"],
                    multiply_adds=int(one["multiply_adds"]),
                )
            )
    return tuple(points)


def _nested(choice: Mapping[str, Any]) -> str:
    metric = choice["metric"]
    score = (choice.get("nested") or {}).get(metric)
    if score is None:
        return ""
    name = metric.replace("_", " ")
    if metric == "accuracy":
        value, ends = f"{100 * score['value']:.1f} %", (100 * score["low"], 100 * score["high"])
        return f"{name} {value} ({ends[0]:.1f} to {ends[1]:.1f} %)"
    return f"{name} {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"
