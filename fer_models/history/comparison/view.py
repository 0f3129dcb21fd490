"""A comparison in words, and the variables of its page."""

from dataclasses import dataclass
from typing import Any, Literal

from fer_models.history.comparison import charts
from fer_models.history.comparison.compare import RunComparison
from fer_models.history.leaderboard import LeaderboardRow

Kind = Literal["pass", "warn", "fail"]


@dataclass(frozen=True)
class Verdict:
    """The result in one word and in one sentence; `kind` is the colour of the badge."""

    kind: Kind
    label: str
    text: str


def verdict(result: RunComparison) -> Verdict:
    """Whether B is better than A, worse, or can't be told apart with these images."""
    one = result.overall
    if one is None:
        return Verdict("warn", "not comparable", result.problem)
    if result.candidate_a == result.candidate_b:
        return Verdict("warn", "same model", "both runs have the same candidate")
    counts = (
        f"{one.only_b_correct} images only B classifies correctly, {one.only_a_correct} only A "
        f"(McNemar p = {one.p_value:.3g}; B minus A: {100 * one.low:+.1f} to "
        f"{100 * one.high:+.1f} points)"
    )
    points = f"{100 * abs(one.difference):.1f} points"
    if not one.is_significant:
        text = f"no difference shown on {one.n} {result.split} images: {counts}"
        return Verdict("warn", "no difference shown", text)
    if one.difference > 0:
        text = f"B is better by {points} on {one.n} {result.split} images: {counts}"
        return Verdict("pass", "B is better", text)
    text = f"B is worse by {points} on {one.n} {result.split} images: {counts}"
    return Verdict("fail", "B is worse", text)


def common_text(result: RunComparison) -> str:
    """Which images the candidates were compared on."""
    common = result.common
    if common is None:
        return "none"
    left_out = {
        "only in A": common.only_a,
        "only in B": common.only_b,
        "with another label": common.relabelled,
        "that a candidate was trained on": common.seen,
    }
    gone = [f"{count} {where}" for where, count in left_out.items() if count]
    rest = [f"left out: {', '.join(gone)}"] if gone else []
    if common.same_snapshot:
        some = f"{common.n} of {common.n + common.seen}" if common.seen else f"all {common.n}"
        parts = [f"{some} {result.split} images"]
        return "; ".join([*parts, "both runs have the same snapshot", *rest, *result.unknown])
    parts = [f"{common.n} {result.split} images that both runs have"]
    if common.by_pixels:
        parts.append(f"{common.by_pixels} of them matched by pixels under another id")
    parts += [*(rest or ["none left out"]), *result.unknown]
    return f"the snapshots differ: {'; '.join(parts)}"


def page_context(
    result: RunComparison,
    rows_a: tuple[LeaderboardRow, ...],
    rows_b: tuple[LeaderboardRow, ...],
) -> dict[str, Any]:
    """All variables of the template."""
    overall = result.overall
    return {
        "result": result,
        "runs": (("A", result.a, rows_a), ("B", result.b, rows_b)),
        "verdict": verdict(result),
        "common_text": common_text(result),
        "overall": overall,
        "charts": {
            "models": charts.models_chart(rows_a, rows_b, result.split or "validation"),
            "classes": charts.class_chart(result.classes, overall) if overall else "",
        },
    }
