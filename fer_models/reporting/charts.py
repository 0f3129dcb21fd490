"""Charts of the report; each function returns an inline SVG element."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import KEPT, SPLITS, DatasetSnapshot
from fer_models.evaluation.metrics import ReliabilityBins
from fer_models.evaluation.results import TEST, VALIDATION, SplitMetrics
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    HALF_WIDTH_IN,
    INK,
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
from fer_models.reporting.collect import ModelRow

Floats = npt.NDArray[np.float64]


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
    return render_svg(
        "accuracy",
        "Accuracy of each model with its confidence interval",
        (FULL_WIDTH_IN, height),
        plot,
    )


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
    return render_svg("classes", "Recall and precision of each class", size_in, plot)


def reliability_chart(bins: ReliabilityBins) -> str:
    """Reliability diagram: accuracy against confidence, and a histogram of the images."""

    def plot(figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        width = 1 / len(bins.n)
        centres = (np.arange(len(bins.n)) + 0.5) * width
        filled = bins.n > 0
        upper.plot(
            [0, 1],
            [0, 1],
            color=MUTED,
            linewidth=1.2,
            linestyle="--",
            label="perfect calibration",
        )
        upper.plot(
            bins.confidence[filled],
            bins.accuracy[filled],
            color=series_colour(0),
            marker="o",
            markersize=5,
            label="candidate",
        )
        upper.set_ylabel("accuracy")
        upper.set_ylim(0, 1.02)
        percent_axis(upper.yaxis)
        lower.bar(centres, bins.n, width * 0.9, color=series_colour(5))
        lower.set_ylabel("images")
        lower.set_xlabel("confidence (highest probability)")
        lower.set_xlim(0, 1)
        percent_axis(lower.xaxis)
        for axes in (upper, lower):
            style_axes(axes)
        figure.legend(loc="outside upper left", ncols=2)

    return render_svg("reliability", "Accuracy against confidence", (HALF_WIDTH_IN, 4.0), plot)


def curves_chart(rows: list[ModelRow]) -> str:
    """Loss and accuracy by epoch, up to eight members; validation solid, training dashed."""

    def plot(figure: Any) -> None:
        panels = figure.subplots(1, 2)
        for axes, quantity in zip(panels, ("loss", "accuracy"), strict=True):
            for number, row in enumerate(rows[:NUM_SERIES_COLOURS]):
                assert row.curve is not None
                epochs, colour = row.curve["epoch"], series_colour(number)
                name = row.metrics.model_name if quantity == "loss" else None
                axes.plot(
                    epochs,
                    row.curve[f"train_{quantity}"],
                    color=colour,
                    linestyle=(0, (3, 2)),
                    linewidth=1.1,
                    alpha=0.75,
                )
                axes.plot(
                    epochs,
                    row.curve[f"validation_{quantity}"],
                    color=colour,
                    label=name,
                    marker="o",
                    markersize=3,
                )
            axes.set_title("loss (nats)" if quantity == "loss" else "accuracy")
            axes.set_xlabel("epoch")
            axes.xaxis.get_major_locator().set_params(integer=True)
            style_axes(axes)
        percent_axis(panels[1].yaxis)
        figure.legend(loc="outside upper left", ncols=4)

    return render_svg("curves", "Loss and accuracy by epoch", (FULL_WIDTH_IN, 3.6), plot)


def counts_chart(snapshot: DatasetSnapshot) -> str:
    """Kept images by class and split: columns, or rows where there are too many for names."""
    table = snapshot.manifest[
        (snapshot.manifest["status"] == KEPT) & (snapshot.manifest["label"] >= 0)
    ]
    classes = snapshot.classes
    in_rows = not classes.is_fer2013

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions, bottom = np.arange(len(classes)), np.zeros(len(classes))
        for split, colour in zip(SPLITS, (0, 5, 1), strict=True):
            labels = table.loc[table["split"] == split, "label"].to_numpy(dtype=np.int64)
            counts = np.bincount(labels, minlength=len(classes))
            if counts.sum():
                style = {"color": series_colour(colour), "label": f"{split} ({counts.sum():,})"}
                if in_rows:
                    axes.barh(positions, counts, 0.7, left=bottom, **style)
                else:
                    axes.bar(positions, counts, 0.7, bottom=bottom, **style)
            bottom += counts
        if in_rows:
            _count_rows(axes, classes.names, bottom)
        else:
            _count_columns(axes, classes.names, bottom)
        figure.legend(loc="outside upper left", ncols=3)

    height = rows_height_in(len(classes), 3.3, 0.26) if in_rows else 3.3
    return render_svg("counts", "Kept images by class and split", (HALF_WIDTH_IN, height), plot)


def _count_columns(axes: Any, names: tuple[str, ...], totals: Floats) -> None:
    for position, total in enumerate(totals):
        axes.text(position, total, f"{int(total):,}", ha="center", va="bottom", fontsize=8.5)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", labelcolor=INK)
    axes.set_ylabel("images")
    axes.margins(y=0.1)
    style_axes(axes)


def _count_rows(axes: Any, names: tuple[str, ...], totals: Floats) -> None:
    for position, total in enumerate(totals):
        axes.text(total, position, f" {int(total):,}", va="center", fontsize=8.5)
    axes.set_yticks(range(len(names)), [short_name(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel("images")
    axes.margins(x=0.12)
    style_axes(axes, grid="x")


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
