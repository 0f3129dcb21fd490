"""Charts of the ensemble: accuracy against cost, and the gain of each member."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_models.plotting.svg import (
    CARD,
    HALF_WIDTH_IN,
    INK,
    MUTED,
    percent_axis,
    render_svg,
    rows_height_in,
    series_colour,
    short_name,
    style_axes,
)
from fer_models.reporting.ensemble_panel import CostPoint, GainRow

_PREFIX = "ensemble-"
# Names of points that are closer than these parts of the width and the height would overlap.
_NEAR_WIDTH, _NEAR_HEIGHT = 0.34, 0.09
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


def cost_chart(points: Sequence[CostPoint]) -> str:
    """Cross-validated accuracy against multiply-adds; a line joins what nothing cheaper beats."""

    def plot(figure: Any) -> None:
        from matplotlib.ticker import NullFormatter

        axes = figure.subplots()
        best = _undominated(points)
        axes.plot(
            [one.multiply_adds for one in best],
            [one.accuracy for one in best],
            color=MUTED,
            linewidth=1.1,
            linestyle="--",
            zorder=1,
        )
        for one in sorted(points, key=lambda point: point.is_candidate):
            colour = series_colour(0 if one.is_ensemble else 1)
            axes.errorbar(
                one.multiply_adds,
                one.accuracy,
                yerr=[[one.accuracy - one.low], [one.high - one.accuracy]],
                fmt="s" if one.is_ensemble else "o",
                color=colour,
                markerfacecolor=colour if one.is_candidate else CARD,
                markersize=7.5 if one.is_candidate else 6,
                elinewidth=1.1,
            )
        _name_points(axes, points)
        axes.set_xscale("log")
        axes.margins(x=0.3, y=0.14)
        axes.set_xlabel("multiply-adds per image")
        axes.set_ylabel("accuracy, cross-validated")
        axes.xaxis.set_major_formatter(lambda value, _: _short(value))
        axes.xaxis.set_minor_formatter(NullFormatter())
        percent_axis(axes.yaxis)
        style_axes(axes)

    values = ", ".join(
        f"{one.name} {100 * one.accuracy:.1f} % at {_short(one.multiply_adds)}" for one in points
    )
    label = f"Accuracy against multiply-adds per image: {values}"
    return render_svg("cost", label, (HALF_WIDTH_IN, 3.9), plot)


def gains_chart(gains: Sequence[GainRow], metric: str) -> str:
    """The gain by each member with its interval."""
    scale = 100 if metric == "accuracy" else 1

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        for position, one in enumerate(reversed(gains)):
            errors = [[scale * (one.value - one.low)], [scale * (one.high - one.value)]]
            style = {"color": series_colour(0), "elinewidth": 1.6, "markersize": 6.5}
            axes.errorbar(scale * one.value, position, xerr=errors, fmt="o", **style)
        axes.axvline(0, color=INK, linewidth=1)
        axes.set_yticks(range(len(gains)), [short_name(one.name) for one in reversed(gains)])
        axes.set_ylim(-0.6, len(gains) - 0.4)
        unit = "points" if metric == "accuracy" else ""
        axes.set_xlabel(" ".join(part for part in ("gain in", metric, unit) if part))
        style_axes(axes, grid="x")

    values = ", ".join(f"{one.name} {scale * one.value:+.2f}" for one in gains)
    label = f"Gain in {metric} by each member: {values}"
    size_in = (HALF_WIDTH_IN, max(rows_height_in(len(gains), 3.9, 0.36), 3.0))
    return render_svg("gains", label, size_in, plot)


def _undominated(points: Sequence[CostPoint]) -> list[CostPoint]:
    """The points that no cheaper one equals, by rising cost."""
    kept: list[CostPoint] = []
    for one in sorted(points, key=lambda point: (point.multiply_adds, -point.accuracy)):
        if not kept or one.accuracy > kept[-1].accuracy:
            kept.append(one)
    return kept


def _name_points(axes: Any, points: Sequence[CostPoint]) -> None:
    """Names beside the points; those of neighbours are listed together, the best first."""
    for here in _neighbours(points):
        cost = max(one.multiply_adds for one in here)
        middle = (max(one.accuracy for one in here) + min(one.accuracy for one in here)) / 2
        names = [one.name.removeprefix(_PREFIX) for one in here]
        axes.annotate(
            "\n".join(short_name(name) for name in names),
            (cost, middle),
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold" if any(one.is_candidate for one in here) else "normal",
        )


def _neighbours(points: Sequence[CostPoint]) -> list[list[CostPoint]]:
    """Groups of points whose names would overlap, each sorted by accuracy."""
    costs = np.log10([one.multiply_adds for one in points])
    accuracies = np.array([one.accuracy for one in points])
    width, height = max(float(np.ptp(costs)), 1e-9), max(float(np.ptp(accuracies)), 1e-9)
    groups: list[list[int]] = []
    for number in range(len(points)):
        near = [
            group
            for group in groups
            if any(
                abs(costs[number] - costs[other]) < _NEAR_WIDTH * width
                and abs(accuracies[number] - accuracies[other]) < _NEAR_HEIGHT * height
                for other in group
            )
        ]
        joined = [number, *(member for group in near for member in group)]
        groups = [*(group for group in groups if group not in near), joined]
    return [
        sorted((points[number] for number in group), key=lambda one: -one.accuracy)
        for group in groups
    ]


def _short(value: float) -> str:
    for size, unit in _UNITS:
        if value >= size:
            return f"{value / size:.3g} {unit}".strip()
    return f"{value:g}"
