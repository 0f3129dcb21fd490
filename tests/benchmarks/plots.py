"""Plots of benchmark results, as PNG files for the docs."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from tests.benchmarks.bench_accuracy import AccuracyCurve
    from tests.benchmarks.bench_gpu import FinishedModel

_PARTS = ("data", "forward", "backward", "optimizer")
_COLOURS = ("#d55e00", "#56b4e9", "#0072b2", "#999999")  # Okabe and Ito


def plot_runs(curves: Sequence["AccuracyCurve"], goals: Sequence[float], path: Path) -> None:
    """Accuracy over time of each run, with a star for its best model, and the goals as lines."""
    figure, axes = new_figure(4.0)
    for curve in curves:
        minutes = [second / 60 for second in curve.seconds]
        (line,) = axes.plot(
            minutes, [100 * a for a in curve.accuracies], ".-", label=f"{curve.recipe}, without TTA"
        )
        axes.plot(
            curve.total_s / 60,
            100 * curve.final_accuracy,
            "*",
            markersize=12,
            color=line.get_color(),
            label=f"{curve.recipe}, best model with TTA",
        )
    _draw_goals(axes, goals)
    axes.set(xlabel="minutes since the command started", ylabel="validation accuracy, %")
    axes.set_ylim(bottom=30)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path)


def plot_models(models: Sequence["FinishedModel"], goals: Sequence[float], path: Path) -> None:
    """Accuracy over time of every finished network, and of the best model so far."""
    figure, axes = new_figure(3.6)
    seconds = [model.seconds for model in models]
    best = [max(model.accuracy for model in models[: i + 1]) for i in range(len(models))]
    axes.step(
        seconds, [100 * a for a in best], where="post", color=_COLOURS[2], label="best so far"
    )
    networks = [model for model in models if model.model.kind == "network"]
    axes.plot(
        [network.seconds for network in networks],
        [100 * network.accuracy for network in networks],
        "o",
        color=_COLOURS[0],
        label="single network",
    )
    _draw_goals(axes, goals)
    axes.set(xlabel="seconds since the table was opened", ylabel="validation accuracy, %")
    axes.set_xlim(left=0)
    axes.legend(loc="center right", frameon=False)
    figure.savefig(path)


def plot_networks(table: pd.DataFrame, path: Path) -> None:
    """Training time per image in milliseconds, by part of the step, for each network."""
    figure, axes = new_figure(0.8 + 0.45 * len(table))
    rows = table.sort_values("images/s")
    left = pd.Series(0.0, index=rows.index)
    for part, colour in zip(_PARTS, _COLOURS, strict=True):
        duration_ms = 1000 / rows["images/s"] * rows[f"{part} %"] / 100
        axes.barh(rows["network"], duration_ms, left=left, color=colour, label=part)
        left = left + duration_ms
    for name, total, rate in zip(rows["network"], left, rows["images/s"], strict=True):
        axes.annotate(f" {rate:,.0f} images/s", (total, name), va="center", fontsize=8)
    axes.set_xlim(right=1.25 * float(left.max()))
    axes.set_xlabel("training time per image (ms)")
    axes.legend(loc="upper right", frameon=False)
    figure.savefig(path)


def _draw_goals(axes: Any, goals: Sequence[float]) -> None:
    for goal in goals:
        axes.axhline(100 * goal, color="grey", linewidth=0.8, linestyle="--")
        axes.annotate(f"{100 * goal:g} %", (0, 100 * goal), va="bottom", fontsize=8, color="grey")


def new_figure(height_in: float, *, axes: bool = True) -> tuple[Any, Any]:
    """A figure of the width of a page, and its axes if there are to be any."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, height_in), layout="constrained", dpi=144)
    if not axes:
        return figure, None
    drawn = figure.subplots()
    drawn.spines[["top", "right"]].set_visible(False)
    return figure, drawn
