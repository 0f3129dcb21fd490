"""Charts of models: accuracy, learning curves."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fer_models.evaluation.results import TEST, VALIDATION, SplitMetrics
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    MUTED,
    NUM_SERIES_COLOURS,
    percent_axis,
    render_svg,
    series_colour,
    style_axes,
)
from fer_models.reporting.collect import ModelRow


def accuracy_chart(rows: tuple[ModelRow, ...]) -> str:
    """Accuracy of every model with its confidence interval, on validation and test."""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions = np.arange(len(rows))[::-1]
        for split, shift, colour, filled in ((TEST, 0.12, 0, True), (VALIDATION, -0.16, 5, False)):
            shown = [
                (position, row.metrics.splits[split])
                for position, row in zip(positions, rows, strict=True)
                if split in row.metrics.splits
            ]
            if shown:
                _points(axes, shown, shift, series_colour(colour), split, filled)
        _majority_line(axes, rows[0].headline)
        axes.set_yticks(positions, [row.metrics.model_name for row in rows])
        for tick, row in zip(axes.get_yticklabels(), rows, strict=True):
            tick.set_fontweight("bold" if row.is_candidate else "normal")
        axes.set_ylim(-0.6, len(rows) - 0.4)
        axes.set_xlabel("accuracy")
        percent_axis(axes.xaxis)
        style_axes(axes, grid="x")
        figure.legend(loc="outside upper left", ncols=3)

    height = 1.2 + 0.42 * len(rows)
    accuracies = ", ".join(
        f"{row.metrics.model_name} {100 * row.headline.accuracy:.1f} %" for row in rows
    )
    return render_svg(
        "accuracy",
        f"Accuracy of each model with its confidence interval: {accuracies}",
        (FULL_WIDTH_IN, height),
        plot,
    )


def curves_chart(curves: Mapping[str, pd.DataFrame]) -> str:
    """Loss and accuracy by epoch; validation solid, training dashed.

    Args:
        curves: training curve by name of a model; up to eight are drawn.
    """

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, 2)
        for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
            for number, (name, curve) in enumerate(shown.items()):
                epochs, colour = curve["epoch"], series_colour(number)
                axes.plot(
                    epochs,
                    curve[f"train_{quantity}"],
                    color=colour,
                    linestyle=(0, (3, 2)),
                    linewidth=1.1,
                    alpha=0.75,
                )
                axes.plot(
                    epochs,
                    curve[f"validation_{quantity}"],
                    color=colour,
                    label=name if quantity == "loss" else None,
                    marker="o",
                    markersize=3,
                )
            axes.set_title("loss (nats)" if quantity == "loss" else "accuracy")
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            style_axes(axes)
        percent_axis(panels[1].yaxis)
        figure.legend(loc="outside upper left", ncols=4)

    shown = dict(itertools.islice(curves.items(), NUM_SERIES_COLOURS))
    return render_svg("curves", "Loss and accuracy by epoch", (FULL_WIDTH_IN, 3.6), plot)


def _points(
    axes: Any,
    shown: list[tuple[int, SplitMetrics]],
    shift: float,
    colour: str,
    split: str,
    filled: bool,
) -> None:
    values = np.array([[m.accuracy, m.accuracy_low, m.accuracy_high] for _, m in shown])
    errors = np.abs(values[:, 1:] - values[:, :1]).T
    sizes = shown[0][1].n
    axes.errorbar(
        values[:, 0],
        [position + shift for position, _ in shown],
        xerr=errors,
        fmt="o",
        color=colour,
        markerfacecolor=colour if filled else "none",
        markersize=6.5,
        elinewidth=1.6,
        capsize=0,
        label=f"{split} (n = {sizes:,})",
    )


def _majority_line(axes: Any, scores: SplitMetrics) -> None:
    """Accuracy of always predicting the most frequent class."""
    share = max(one.n for one in scores.per_class.values()) / scores.n
    axes.axvline(share, color=MUTED, linestyle=":", linewidth=1.4, label="majority-class baseline")
