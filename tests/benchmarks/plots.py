"""Pictures of what benchmarks measured, as PNGs for the docs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from tests.benchmarks.bench_accuracy import Course
    from tests.benchmarks.bench_gpu import Reached

_PARTS = ("data", "forward", "backward", "optimizer")
_COLOURS = ("#d55e00", "#56b4e9", "#0072b2", "#999999")  # Okabe and Ito


def plot_courses(courses: Sequence["Course"], goals: Sequence[float], path: Path) -> None:
    """Accuracy over the minutes of each command, a star for its finished model, the goals."""
    figure, axes = _figure(4.0)
    for course in courses:
        minutes = [second / 60 for second in course.seconds]
        (line,) = axes.plot(
            minutes, [100 * a for a in course.accuracies], ".-", label=f"{course.recipe}, one view"
        )
        axes.plot(
            course.total_s / 60,
            100 * course.finished,
            "*",
            markersize=12,
            color=line.get_color(),
            label=f"{course.recipe}, finished: all views",
        )
    _draw_goals(axes, goals)
    axes.set(xlabel="minutes since the command started", ylabel="validation accuracy, %")
    axes.set_ylim(bottom=30)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path)


def plot_reached(reached: Sequence["Reached"], goals: Sequence[float], path: Path) -> None:
    """Accuracy of every finished network over the seconds, and of the best model so far."""
    figure, axes = _figure(3.6)
    seconds = [one.seconds for one in reached]
    best = [max(one.accuracy for one in reached[: i + 1]) for i in range(len(reached))]
    axes.step(
        seconds, [100 * a for a in best], where="post", color=_COLOURS[2], label="best so far"
    )
    networks = [one for one in reached if one.model.kind == "network"]
    axes.plot(
        [one.seconds for one in networks],
        [100 * one.accuracy for one in networks],
        "o",
        color=_COLOURS[0],
        label="one network",
    )
    _draw_goals(axes, goals)
    axes.set(xlabel="seconds since the table was opened", ylabel="validation accuracy, %")
    axes.set_xlim(left=0)
    axes.legend(loc="center right", frameon=False)
    figure.savefig(path)


def plot_networks(table: pd.DataFrame, path: Path) -> None:
    """Milliseconds that an image costs in training, by part of the step, for each network."""
    figure, axes = _figure(0.8 + 0.45 * len(table))
    rows = table.sort_values("images/s")
    left = pd.Series(0.0, index=rows.index)
    for part, colour in zip(_PARTS, _COLOURS, strict=True):
        cost = 1000 / rows["images/s"] * rows[f"{part} %"] / 100
        axes.barh(rows["network"], cost, left=left, color=colour, label=part)
        left = left + cost
    for name, total, rate in zip(rows["network"], left, rows["images/s"], strict=True):
        axes.annotate(f" {rate:,.0f} images/s", (total, name), va="center", fontsize=8)
    axes.set_xlim(right=1.25 * float(left.max()))
    axes.set_xlabel("milliseconds an image in training")
    axes.legend(loc="upper right", frameon=False)
    figure.savefig(path)


def _draw_goals(axes: Any, goals: Sequence[float]) -> None:
    for goal in goals:
        axes.axhline(100 * goal, color="grey", linewidth=0.8, linestyle="--")
        axes.annotate(f"{100 * goal:g} %", (0, 100 * goal), va="bottom", fontsize=8, color="grey")


def _figure(height_in: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height_in), layout="constrained", dpi=144)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
