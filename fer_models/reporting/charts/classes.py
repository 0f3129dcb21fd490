"""Charts of the candidate by class: recall and precision, ROC and PR curves, reliability."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fer_models.evaluation.metrics import ReliabilityBins
from fer_models.evaluation.results import SplitMetrics
from fer_models.plotting.svg import (
    HALF_WIDTH_IN,
    MUTED,
    NUM_SERIES_COLOURS,
    fit_rows,
    percent_axis,
    render_svg,
    rows_height_in,
    series_colour,
    short_name,
    style_axes,
)
from fer_models.reporting.curves import ClassCurves


def class_chart(scores: SplitMetrics) -> str:
    """Recall and precision of each class."""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        classes = list(scores.per_class.values())
        positions = np.arange(len(classes))[::-1]
        for shift, field, colour in ((0.19, "recall", 0), (-0.19, "precision", 1)):
            values = [getattr(one, field) for one in classes]
            axes.barh(positions + shift, values, 0.36, color=series_colour(colour), label=field)
            for position, value in zip(positions, values, strict=True):
                axes.text(
                    value + 0.01,
                    position + shift,
                    f"{100 * value:.0f}",
                    va="center",
                    fontsize=7.5,
                    color=MUTED,
                )
        labels = [f"{short_name(name)} ({one.n:,})" for name, one in scores.per_class.items()]
        axes.set_yticks(positions, labels)
        fit_rows(axes, len(classes))
        axes.set_xlim(0, 1.08)
        percent_axis(axes.xaxis)
        style_axes(axes, grid="x")
        figure.legend(loc="outside upper left", ncols=2)

    size_in = (HALF_WIDTH_IN, rows_height_in(len(scores.per_class), 4.0))
    values = ", ".join(
        f"{name} {one.recall:.2f} and {one.precision:.2f}" for name, one in scores.per_class.items()
    )
    label = f"Recall and precision of each class: {values}"
    return render_svg("classes", label, size_in, plot)


def reliability_chart(series: Mapping[str, ReliabilityBins]) -> str:
    """Reliability diagram: accuracy against confidence, and a histogram of the images.

    Args:
        series: bins by name, such as before and after temperature scaling; the first in front.
    """

    def plot(figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        upper.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle="--", label="perfect")
        share = 0.9 / len(series)
        for number, (name, bins) in enumerate(series.items()):
            filled, width = bins.n > 0, 1 / len(bins.n)
            style = {"color": series_colour(number), "marker": "os"[number], "markersize": 4.5}
            upper.plot(bins.confidence[filled], bins.accuracy[filled], label=name, **style)
            left = (np.arange(len(bins.n)) + 0.05 + share * (number + 0.5)) * width
            lower.bar(left, bins.n, width * share, color=series_colour(number))
        upper.set_ylabel("accuracy")
        upper.set_ylim(0, 1.02)
        percent_axis(upper.yaxis)
        lower.set_ylabel("images")
        lower.set_xlabel("confidence (highest probability)")
        lower.set_xlim(0, 1)
        percent_axis(lower.xaxis)
        for axes in (upper, lower):
            style_axes(axes)
        figure.legend(loc="outside upper left", ncols=3)

    label = f"Reliability diagram, accuracy against confidence: {', '.join(series)}"
    return render_svg("reliability", label, (HALF_WIDTH_IN, 4.2), plot)


def roc_chart(curves: Sequence[ClassCurves]) -> str:
    """ROC curves, the classes with the smallest areas if there are more than colours."""
    shown = _worst(curves, lambda one: one.area)

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle="--")
        for number, one in shown:
            label = f"{short_name(one.name)} {one.area:.3f}"
            points = one.false_positive_rate, one.true_positive_rate
            axes.plot(*points, color=series_colour(number), label=label, linewidth=1.5)
        _share_axes(axes, "false positive rate", "true positive rate (recall)")
        axes.legend(loc="lower right", fontsize=8.2, title="area", title_fontsize=8.2)

    areas = ", ".join(f"{one.name} {one.area:.3f}" for _, one in shown)
    label = f"ROC curves by class; area under the curve: {areas}"
    return render_svg("roc", label, (HALF_WIDTH_IN, 4.2), plot)


def precision_recall_chart(curves: Sequence[ClassCurves]) -> str:
    """Precision-recall curves, the classes with the lowest ones if there are more than colours."""
    shown = _worst(curves, lambda one: one.average_precision)

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        for number, one in shown:
            label = f"{short_name(one.name)} {one.average_precision:.3f}"
            style = {"color": series_colour(number), "linewidth": 1.5}
            axes.step(one.recall, one.precision, where="pre", label=label, **style)
        _share_axes(axes, "recall", "precision")
        axes.legend(loc="lower left", fontsize=8.2, title="average precision", title_fontsize=8.2)

    means = ", ".join(f"{one.name} {one.average_precision:.3f}" for _, one in shown)
    label = f"Precision-recall curves by class; average precision: {means}"
    return render_svg("precision-recall", label, (HALF_WIDTH_IN, 4.2), plot)


def _worst(
    curves: Sequence[ClassCurves], value: Callable[[ClassCurves], float]
) -> list[tuple[int, ClassCurves]]:
    """At most as many classes as there are colours, in class order, each with its colour."""
    worst = sorted(curves, key=value)[:NUM_SERIES_COLOURS]
    chosen = {one.name for one in worst}
    return list(enumerate(one for one in curves if one.name in chosen))


def _share_axes(axes: Any, x_label: str, y_label: str) -> None:
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.02)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    style_axes(axes)
