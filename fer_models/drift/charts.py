"""Figures of the drift page: the reference next to the recent images.

M reference images, N recent images, K classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_models.drift.image_measures import STATISTICS
from fer_models.drift.statistics import Floats
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    HALF_WIDTH_IN,
    fit_rows,
    percent_axis,
    render_svg,
    rows_height_in,
    series_colour,
    short_name,
    style_axes,
)

_REFERENCE, _RECENT = series_colour(6), series_colour(3)
_BINS = 32


def statistics_chart(training: Mapping[str, Floats], recent: Mapping[str, Floats]) -> str:
    """Distributions of every image statistic, as an SVG element."""

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, len(STATISTICS))
        for axes, name in zip(panels, STATISTICS, strict=True):
            _histograms(axes, training[name], recent[name])
            axes.set_title(name)
        _legend(figure, panels[0], "training", "recent")

    label = "Image statistics of the training images and of the recent images"
    return render_svg("statistics", label, (FULL_WIDTH_IN, 2.9), plot)


def class_chart(validation: Mapping[str, int], recent: Mapping[str, int]) -> str:
    """Shares of the predicted classes, as an SVG element."""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions = np.arange(len(validation))[::-1]
        series = ((validation, 0.19, _REFERENCE, "validation"), (recent, -0.19, _RECENT, "recent"))
        for counts, shift, colour, name in series:
            total = max(sum(counts.values()), 1)
            shares = [counts[class_name] / total for class_name in validation]
            axes.barh(positions + shift, shares, 0.36, color=colour, label=name)
        axes.set_yticks(positions, [short_name(name) for name in validation])
        fit_rows(axes, len(validation))
        percent_axis(axes.xaxis, decimals=0)
        style_axes(axes, grid="x")
        figure.legend(loc="outside upper left", ncols=2)

    label = "Shares of the predicted classes, validation and recent images"
    size_in = (HALF_WIDTH_IN, rows_height_in(len(validation), 3.6))
    return render_svg("predicted", label, size_in, plot)


def confidence_chart(validation_M: Floats, recent_N: Floats, num_classes: int) -> str:
    """Distributions of the calibrated confidence, as an SVG element."""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        _histograms(axes, validation_M, recent_N, (1 / num_classes, 1.0))
        axes.set_xlabel("confidence after temperature scaling")
        _legend(figure, axes, "validation", "recent")

    label = "Calibrated confidence of the validation images and of the recent images"
    return render_svg("confidence", label, (HALF_WIDTH_IN, 3.6), plot)


def _histograms(
    axes: Any, reference: Floats, recent: Floats, span: tuple[float, float] | None = None
) -> None:
    both = np.concatenate([reference, recent])
    edges = np.histogram_bin_edges(both, bins=_BINS, range=span)
    for values, colour, filled in ((reference, _REFERENCE, True), (recent, _RECENT, False)):
        shares = np.histogram(values, edges)[0] / len(values)
        alpha = 0.45 if filled else 1.0
        axes.stairs(shares, edges, color=colour, fill=filled, alpha=alpha, linewidth=1.5)
    percent_axis(axes.yaxis, decimals=0)
    axes.set_ylim(0, None)
    style_axes(axes)


def _legend(figure: Any, axes: Any, reference: str, recent: str) -> None:
    figure.legend(axes.patches[:2], [reference, recent], loc="outside upper left", ncols=2)
