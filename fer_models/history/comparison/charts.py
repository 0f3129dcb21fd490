"""Charts of the comparison; each function returns an inline SVG element."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_models.history.comparison.paired import PairedDifference
from fer_models.history.leaderboard import Accuracy, LeaderboardRow
from fer_models.plotting.svg import (
    FULL_WIDTH_IN,
    HALF_WIDTH_IN,
    INK,
    MUTED,
    fit_rows,
    percent_axis,
    render_svg,
    series_colour,
    short_name,
    style_axes,
)

_COLOURS = {"A": 1, "B": 0}
_SHIFTS = {"A": 0.14, "B": -0.14}


def class_chart(classes: Mapping[str, PairedDifference], overall: PairedDifference) -> str:
    """Difference of the recall of each class, and of the accuracy, with intervals."""
    rows = {"all images": overall, **classes}

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions = np.arange(len(rows))[::-1]
        axes.axvline(0, color=INK, linewidth=1)
        for position, (name, one) in zip(positions, rows.items(), strict=True):
            is_all = name == "all images"
            beyond = one.low > 0 or one.high < 0
            axes.errorbar(
                [100 * one.difference],
                [position],
                xerr=[[100 * (one.difference - one.low)], [100 * (one.high - one.difference)]],
                fmt="D" if is_all else "o",
                color=series_colour(0) if beyond else MUTED,
                markersize=7 if is_all else 6,
                elinewidth=1.8,
            )
        axes.set_yticks(
            positions, [f"{short_name(name)} ({one.n:,})" for name, one in rows.items()]
        )
        fit_rows(axes, len(rows))
        axes.set_xlabel("B minus A, in percentage points")
        style_axes(axes, grid="x")

    label = "Difference between the candidates, for all images and for each class, with intervals"
    return render_svg("classes", label, (HALF_WIDTH_IN, 0.9 + 0.36 * len(rows)), plot)


def models_chart(
    rows_a: Sequence[LeaderboardRow], rows_b: Sequence[LeaderboardRow], split: str
) -> str:
    """Accuracy of all models of both runs with intervals; empty without any."""
    found = {
        "A": {row.name: row.splits[split] for row in rows_a if split in row.splits},
        "B": {row.name: row.splits[split] for row in rows_b if split in row.splits},
    }
    names = list(dict.fromkeys([*found["A"], *found["B"]]))
    if not names:
        return ""

    def plot(figure: Any) -> None:
        axes = figure.subplots()
        positions = {name: len(names) - 1 - number for number, name in enumerate(names)}
        for run, values in found.items():
            if values:
                _points(axes, run, {positions[name]: one for name, one in values.items()})
        axes.set_yticks(list(positions.values()), list(positions))
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.set_xlabel(f"{split} accuracy")
        percent_axis(axes.xaxis)
        style_axes(axes, grid="x")
        figure.legend(loc="outside upper left", ncols=2)

    label = f"Accuracy of every model of both runs on {split}, with intervals"
    return render_svg("models", label, (FULL_WIDTH_IN, 1.2 + 0.42 * len(names)), plot)


def _points(axes: Any, run: str, values: Mapping[int, Accuracy]) -> None:
    accuracies = np.array([[one.accuracy, one.low, one.high] for one in values.values()])
    axes.errorbar(
        accuracies[:, 0],
        [position + _SHIFTS[run] for position in values],
        xerr=np.abs(accuracies[:, 1:] - accuracies[:, :1]).T,
        fmt="o",
        color=series_colour(_COLOURS[run]),
        markersize=6.5,
        elinewidth=1.6,
        label=f"run {run}",
    )
