"""A chart of what helped: the difference of every experiment to its baseline, best first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_models.campaign.config import CampaignPlan
from fer_models.campaign.page.comparison import Difference, Measured, accuracies, differences
from fer_models.plotting.figure import render_figure
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    INK,
    MUTED,
    series_colour,
    style_axes,
)

_TITLE = "Difference of every experiment to its baseline, with intervals over seeds"


def differences_png(plan: CampaignPlan, measured: Measured) -> bytes | None:
    """A PNG file: differences with intervals, and a small point for each seed.

    Args:
        plan: the baselines.
        measured: results by experiment.

    Returns:
        None if no experiment has a baseline with results.
    """
    against = differences(plan, measured)
    if not against:
        return None
    baselines = {one.name: one.baseline for one in plan.experiments}
    best_first = sorted(against, key=lambda name: -against[name].points)
    shared = {baselines[name] for name in best_first}

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        positions = np.arange(len(best_first))[::-1]
        for position, name in zip(positions, best_first, strict=True):
            theirs = float(np.mean(accuracies(measured[baselines[name]])))
            seeds = [value - theirs for value in accuracies(measured[name])]
            axes.plot(seeds, [position] * len(seeds), "|", color=MUTED, markersize=9)
            _point(axes, position, against[name])
        axes.set_yticks(positions, _labels(best_first, baselines))
        axes.set_ylim(-0.6, len(best_first) - 0.4)
        baseline = baselines[best_first[0]] if len(shared) == 1 else "the baseline"
        axes.set_xlabel(f"accuracy with the mirror image against {baseline}, percentage points")
        style_axes(axes, grid="x")

    size_in = (FULL_WIDTH_IN, 0.9 + 0.36 * len(best_first))
    return render_figure("differences", _TITLE, size_in, plot).png


def _point(axes: Any, position: int, one: Difference) -> None:
    """The mean and its interval, in colour where there is one and it excludes zero."""
    low, high = (one.points if end is None else end for end in (one.low, one.high))
    is_clear = one.low is not None and (low > 0 or high < 0)
    axes.errorbar(
        [one.points],
        [position],
        xerr=[[one.points - low], [high - one.points]],
        fmt="o",
        color=series_colour(0) if is_clear else MUTED,
        markersize=6,
        elinewidth=1.8,
    )


def _labels(names: Sequence[str], baselines: Mapping[str, str]) -> list[str]:
    """Names of experiments, with their baselines where these differ."""
    if len({baselines[name] for name in names}) == 1:
        return list(names)
    return [f"{name} against {baselines[name]}" for name in names]
