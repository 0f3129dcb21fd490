"""Charts of an exploration: classes, grey values and votes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.exploration.pixels import Floats, Ints
from fer_models.plotting.figure import RenderedFigure, render_figure
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    HALF_WIDTH_IN,
    INK,
    LINE,
    MUTED,
    fit_rows,
    percent_axis,
    rows_height_in,
    series_colour,
    short_name,
    style_axes,
)

BEFORE, AFTER, OTHER = series_colour(6), series_colour(0), series_colour(3)
_PANELS = 4  # in a row
_HEAT = 0.62  # opacity of the strongest cell: its text stays readable


def class_chart(table: Sequence[dict[str, Any]]) -> RenderedFigure:
    """Number of images by class, before and after cleaning."""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions = np.arange(len(table))[::-1]
        before = np.array([row["before"] for row in table])
        after = np.array([row["after"] for row in table])
        axes.barh(positions + 0.19, before, 0.36, color=BEFORE, label=f"before ({before.sum():,})")
        axes.barh(positions - 0.19, after, 0.36, color=AFTER, label=f"after ({after.sum():,})")
        _bar_texts(axes, positions + 0.19, before, [f"{n:,}" for n in before])
        changes = [_change(b, a) for b, a in zip(before, after, strict=True)]
        _bar_texts(axes, positions - 0.19, after, changes)
        axes.set_yticks(positions, [short_name(row["class"]) for row in table])
        fit_rows(axes, len(table))
        axes.set_xlim(0, 1.24 * max(before.max(), after.max(), 1))
        axes.set_xlabel("images")
        _whole_numbers(axes.xaxis)
        style_axes(axes, grid="x")
        figure.legend(loc="outside upper left", ncols=2)

    return render_figure(
        "classes", "Images by class, before and after cleaning", _rows_size(table), plot
    )


def split_chart(table: Sequence[dict[str, Any]]) -> RenderedFigure:
    """Share of each class in every split, before and after cleaning."""
    splits = list(table[0]["splits"])

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, len(splits), sharey=True, sharex=True, squeeze=False)[0]
        positions = np.arange(len(table))[::-1]
        for axes, split in zip(panels, splits, strict=True):
            totals = {}
            for when, shift, colour in (("before", 0.19, BEFORE), ("after", -0.19, AFTER)):
                counts = np.array([row["splits"][split][when] for row in table])
                totals[when] = counts.sum()
                shares = counts / max(counts.sum(), 1)
                axes.barh(positions + shift, shares, 0.36, color=colour)
            axes.set_title(f"{split}\n{totals['before']:,} to {totals['after']:,}", fontsize=9)
            axes.set_yticks(positions, [short_name(row["class"]) for row in table])
            fit_rows(axes, len(table))
            percent_axis(axes.xaxis, decimals=0)
            style_axes(axes, grid="x")
        panels[0].xaxis.get_major_locator().set_params(nbins=3)
        figure.supxlabel("share of the split's images", fontsize=9.2, color=MUTED)

    return render_figure("splits", "Share of each class by split", _rows_size(table), plot)


def histogram_chart(histograms: dict[str, Ints], num_classes: int) -> RenderedFigure:
    """Distribution of grey values: all kept images, then each class compared with them.

    Args:
        histograms: number of pixels by grey value (256); all kept images first, then by class.
        num_classes: K, with or without images.
    """
    num_rows = math.ceil((1 + num_classes) / _PANELS)

    def plot(figure: Any) -> None:
        panels = figure.subplots(num_rows, _PANELS, sharex=True, sharey=True).ravel()
        everything = next(iter(histograms.values()))
        for axes, (name, counts) in zip(panels, histograms.items(), strict=False):
            whole = axes is panels[0]
            if not whole:
                _steps(axes, everything, MUTED, linewidth=0.9, linestyle=(0, (2, 1.5)))
            _steps(axes, counts, AFTER, linewidth=1.2)
            axes.set_title(short_name(name, 28))
            style_axes(axes)
        panels[0].set_xlim(0, 255)
        panels[0].set_xticks([0, 64, 128, 192, 255])
        percent_axis(panels[0].yaxis, decimals=1)
        for axes in panels[len(histograms) :]:
            axes.set_axis_off()
        if num_rows > 2:
            for axes in panels[len(histograms) - _PANELS : len(histograms)]:
                axes.tick_params(labelbottom=True)  # the last panel of its column
        panels[0].set_ylim(0, _axis_height(histograms))
        figure.supxlabel("grey value, 0 (black) to 255 (white)", fontsize=9.2, color=MUTED)
        figure.supylabel("share of pixels", fontsize=9.2, color=MUTED)

    size_in = (FULL_WIDTH_IN, 2.1 * num_rows)
    return render_figure("grey_values", "Distribution of grey values", size_in, plot)


def image_chart(
    values: dict[str, tuple[Floats, int]], kept: npt.NDArray[np.bool_]
) -> RenderedFigure:
    """Histograms of per-image statistics, kept and quarantined images compared.

    Args:
        values: N values and the upper end of the axis, by title of the panel.
        kept: N booleans.
    """

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, len(values))
        for axes, (title, (statistic, end)) in zip(panels, values.items(), strict=True):
            edges = np.linspace(0, end, 65)
            axes.set_xticks(np.linspace(0, end, 5))
            for mask, colour, name in ((kept, AFTER, "kept"), (~kept, OTHER, "quarantined")):
                if mask.any():
                    counts = np.histogram(statistic[mask], edges)[0] / mask.sum()
                    label = f"{name} ({mask.sum():,})" if axes is panels[0] else None
                    axes.stairs(
                        counts, edges, color=colour, fill=colour == AFTER, alpha=0.75, label=label
                    )
            axes.set_title(title)
            axes.set_xlabel("grey value")
            axes.yaxis.get_major_locator().set_params(nbins=5)
            percent_axis(axes.yaxis, decimals=0)
            style_axes(axes)
        panels[0].set_ylabel("share of images")
        figure.legend(loc="outside upper left", ncols=2)

    title = "Grey-value statistics of single images"
    return render_figure("images", title, (FULL_WIDTH_IN, 3.1), plot)


def spread_chart(by_class: dict[str, dict[str, Any]]) -> RenderedFigure:
    """Quantiles of the image means and standard deviations by class."""

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, 2, sharey=True)
        positions = np.arange(len(by_class))[::-1]
        titles = {"mean_quantiles": "image mean", "std_quantiles": "image standard deviation"}
        for axes, (key, title) in zip(panels, titles.items(), strict=True):
            low, left, middle, right, high = np.array([one[key] for one in by_class.values()]).T
            axes.hlines(positions, low, high, color=AFTER, linewidth=1.4)
            axes.barh(positions, right - left, 0.44, left=left, color=AFTER, alpha=0.45)
            axes.plot(middle, positions, "o", color=AFTER, markersize=5)
            axes.set_yticks(
                positions,
                [f"{short_name(name, 28)} ({one['n']:,})" for name, one in by_class.items()],
            )
            fit_rows(axes, len(by_class))
            axes.set_title(title)
            axes.set_xlabel("grey value")
            style_axes(axes, grid="x")

    return render_figure(
        "brightness",
        "Brightness and contrast by class",
        (FULL_WIDTH_IN, 0.9 + 0.34 * len(by_class)),
        plot,
    )


def vote_chart(facts: dict[str, Any], is_fer2013: bool) -> RenderedFigure:
    """Labels (rows) against FER+ majority votes (columns)."""
    confusion = np.array(facts["confusion"])
    num_classes = len(confusion)
    names = [short_name(name, 12) for name in facts["choices"]]
    source = "FER2013 label" if is_fer2013 else "Label"

    def plot(figure: Any) -> None:
        from matplotlib.patches import Rectangle

        axes = figure.subplots()
        totals = confusion.sum(axis=1)
        for (row, column), count in np.ndenumerate(confusion):
            share = count / max(totals[row], 1)
            colour = series_colour(0) if row == column else OTHER
            axes.add_patch(
                Rectangle(
                    (column - 0.47, row - 0.46), 0.94, 0.92, color=(colour, _HEAT * share), lw=0
                )
            )
            if count:
                axes.text(column, row - 0.1, f"{count:,}", ha="center", va="center", fontsize=8.4)
                shown = f"{100 * share:.0f} %"
                axes.text(column, row + 0.24, shown, ha="center", va="center", fontsize=6.6)
        axes.set_xlim(-0.5, confusion.shape[1] - 0.5)
        axes.set_ylim(num_classes - 0.5, -0.5)
        axes.axvline(num_classes - 0.5, color=LINE, linewidth=1.2)
        axes.set_xticks(range(confusion.shape[1]), names)
        rows = [f"{name} ({n:,})" for name, n in zip(names, totals, strict=False)]
        axes.set_yticks(range(num_classes), rows)
        axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
        axes.tick_params(axis="x", labelcolor=INK)
        axes.set_xlabel("FER+ majority vote", loc="left", labelpad=8)
        axes.xaxis.set_label_position("top")
        axes.set_ylabel(source)
        for side in axes.spines.values():
            side.set_visible(False)

    size_in = (FULL_WIDTH_IN, rows_height_in(num_classes, 4.6, 0.55))
    return render_figure("ferplus", f"{source}s against FER+ majority votes", size_in, plot)


def _rows_size(table: Sequence[dict[str, Any]]) -> tuple[float, float]:
    return HALF_WIDTH_IN, rows_height_in(len(table), 4.2)


def _bar_texts(axes: Any, positions: Any, values: Any, texts: list[str]) -> None:
    offset = 0.012 * max(axes.get_xlim()[1], 1)
    for position, value, text in zip(positions, values, texts, strict=True):
        axes.text(value + offset, position, text, va="center", fontsize=7.6, color=MUTED)


def _change(before: int, after: int) -> str:
    if before == after:
        return f"{after:,}"
    if not before:
        return f"{after:,} (new)"
    return f"{after:,} ({100 * (after - before) / before:+.1f} %)"


def _steps(axes: Any, counts: Ints, colour: str, **style: Any) -> None:
    axes.plot(np.arange(len(counts)), counts / max(counts.sum(), 1), color=colour, **style)


def _whole_numbers(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    axis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _axis_height(histograms: dict[str, Ints]) -> float:
    """Upper end of the axes; the peaks of clipped black and white pixels may exceed it."""
    inner = max(float(one[1:-1].max() / max(one.sum(), 1)) for one in histograms.values())
    return 1.5 * inner or 1.0
