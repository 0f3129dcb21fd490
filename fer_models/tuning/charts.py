"""Figures of a search: accuracy of the trials, accuracy by setting, and settings by epoch."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fer_models.plotting.figure import RenderedFigure, render_figure
from fer_models.plotting.svg import FULL_WIDTH_IN, MUTED, percent_axis, series_colour, style_axes
from fer_models.tuning.config import SearchDimension

Trials = Sequence[dict[str, Any]]
BEST, OTHER = series_colour(3), series_colour(0)
# More lines are indistinguishable, and make the page large.
MAX_CURVES = 60
_COLUMNS = 4
_ROW_IN = 2.3
_JITTER = 0.12


def search_charts(trials: Trials, space: Sequence[SearchDimension]) -> list[RenderedFigure]:
    """All figures that the search has data for.

    Args:
        trials: the content of `trials.json`, at least one trial.
        space: the search space.

    Example:
        trials = store.read_json(tuning, "trials.json")
        for figure in search_charts(trials, config.search_space):
            Path(figure.file).write_bytes(figure.png)
    """
    searched = [dimension for dimension in space if dimension.field in trials[0]["setting"]]
    figures = []
    if any(trial.get("curve") for trial in trials):
        figures.append(progress_chart(trials))
    if searched:
        figures.append(settings_chart(trials, searched))
    if searched and any(trial.get("schedule") for trial in trials):
        figures.append(schedule_chart(trials, searched))
    return figures


def progress_chart(trials: Trials) -> RenderedFigure:
    """Accuracy of the trials by epoch, and the best accuracy so far by trial number."""
    best = _best(trials)

    def plot(figure: Any) -> None:
        curves, running_best = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for trial in sorted(_shown(trials), key=lambda trial: trial is best):
            _curve(curves, trial, trial is best)
        curves.set_title("all trials")
        curves.set_xlabel("epoch")
        curves.set_ylabel("validation accuracy")
        curves.xaxis.get_major_locator().set_params(integer=True)
        numbers = [trial["trial"] for trial in trials]
        values = [trial["validation_accuracy"] for trial in trials]
        running_best.step(
            numbers, np.maximum.accumulate(values), where="post", color=BEST, label="best"
        )
        for trial in trials:
            _dot(running_best, trial["trial"], trial, trial is best)
        running_best.set_title("best so far")
        running_best.set_xlabel("trial")
        running_best.xaxis.get_major_locator().set_params(integer=True)
        for axes in (curves, running_best):
            style_axes(axes)
        percent_axis(curves.yaxis)
        _legend(figure, trials)

    return render_figure("tuning_progress", "Accuracy of the trials", (FULL_WIDTH_IN, 3.6), plot)


def settings_chart(trials: Trials, space: Sequence[SearchDimension]) -> RenderedFigure:
    """Accuracy of each trial against each searched field."""
    best = _best(trials)

    def plot(figure: Any) -> None:
        panels = _panels(figure, len(space), sharey=True)
        for axes, dimension in zip(panels, space, strict=True):
            positions = _axis_positions(axes, dimension, trials)
            for position, trial in zip(positions, trials, strict=True):
                _dot(axes, position, trial, trial is best)
            _scale(axes.xaxis, axes.set_xscale, dimension)
            axes.set_title(dimension.field, fontsize=8.6)
            style_axes(axes)
        percent_axis(panels[0].yaxis)
        figure.supylabel("validation accuracy", fontsize=9.2, color=MUTED)
        _legend(figure, trials)

    return render_figure("tuning_settings", "Accuracy by setting", _size(len(space)), plot)


def schedule_chart(trials: Trials, space: Sequence[SearchDimension]) -> RenderedFigure:
    """Settings of a population by epoch, with the lineage of the best trial highlighted."""
    history = lineage(trials, _best(trials)["trial"])

    def plot(figure: Any) -> None:
        panels = _panels(figure, len(space))
        for axes, dimension in zip(panels, space, strict=True):
            for trial in _shown(trials):
                epochs, values = _step_line(trial["schedule"], trial["epochs"], dimension)
                axes.step(epochs, values, where="post", color=OTHER, alpha=0.35, linewidth=1.1)
            epochs, values = _step_line(history, history[-1]["epoch"], dimension)
            axes.step(epochs, values, where="post", color=BEST, linewidth=2.2)
            copies = [n for n, step in enumerate(history) if step["copied_from"] is not None]
            axes.plot(
                [history[n]["epoch"] - 0.5 for n in copies],
                [values[n] for n in copies],
                linestyle="none",
                marker="o",
                markersize=5,
                color=BEST,
            )
            _scale(axes.yaxis, axes.set_yscale, dimension)
            _name_choices(axes.set_yticks, dimension)
            axes.set_title(dimension.field, fontsize=8.6)
            axes.xaxis.get_major_locator().set_params(integer=True)
            style_axes(axes)
        figure.supxlabel("epoch", fontsize=9.2, color=MUTED)
        _schedule_legend(figure)

    return render_figure("tuning_schedule", "Settings by epoch", _size(len(space)), plot)


def lineage(trials: Trials, number: int) -> list[dict[str, Any]]:
    """The history of a trial's final weights in a population: one entry per epoch.

    Each entry holds `epoch`, the `trial` that trained the weights in that epoch, its `setting`, and
    `copied_from`: the trial whose weights it copied just before, or None.
    """
    schedules = {trial["trial"]: trial["schedule"] for trial in trials}
    last = next(trial["epochs"] for trial in trials if trial["trial"] == number)
    history: list[dict[str, Any]] = []
    for epoch in range(last, 0, -1):
        steps = [step for step in schedules.get(number, ()) if step["epoch"] <= epoch]
        if not steps:  # the source of the weights failed later and is not in `trials`
            break
        step = steps[-1]
        source = step["copied_from"] if step["epoch"] == epoch else None
        entry = {"epoch": epoch, "trial": number, "setting": step["setting"]}
        history.append({**entry, "copied_from": source})
        number = number if source is None else source
    return history[::-1]


def _best(trials: Trials) -> dict[str, Any]:
    return max(trials, key=lambda t: (t["validation_accuracy"], -t["validation_loss"], -t["trial"]))


def _shown(trials: Trials) -> list[dict[str, Any]]:
    ranked = sorted(trials, key=lambda trial: -trial["validation_accuracy"])
    return ranked[:MAX_CURVES]


def _curve(axes: Any, trial: dict[str, Any], is_best: bool) -> None:
    curve = trial.get("curve") or [trial["validation_accuracy"]]
    colour = BEST if is_best else OTHER
    axes.plot(
        range(1, len(curve) + 1),
        curve,
        color=colour,
        linewidth=2.2 if is_best else 1.1,
        alpha=1 if is_best else 0.45,
    )
    axes.plot(
        [len(curve)],
        [curve[-1]],
        marker="o",
        markersize=5,
        linestyle="none",
        color=colour,
        markerfacecolor="none" if trial["stopped_early"] else colour,
    )


def _dot(axes: Any, position: float, trial: dict[str, Any], is_best: bool) -> None:
    colour = BEST if is_best else OTHER
    axes.plot(
        [position],
        [trial["validation_accuracy"]],
        marker="o",
        markersize=7 if is_best else 5.5,
        linestyle="none",
        color=colour,
        markerfacecolor="none" if trial["stopped_early"] else colour,
        zorder=3 if is_best else 2,
    )


def _legend(figure: Any, trials: Trials) -> None:
    from matplotlib.lines import Line2D

    marks = [("best trial", BEST, BEST), ("other trials", OTHER, OTHER)]
    if any(trial["stopped_early"] for trial in trials):
        marks.append(("stopped early", OTHER, "none"))
    handles = [
        Line2D([], [], color=colour, marker="o", linestyle="none", markerfacecolor=face, label=text)
        for text, colour, face in marks
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))


def _schedule_legend(figure: Any) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=BEST, linewidth=2.2, label="lineage of the best trial"),
        Line2D(
            [],
            [],
            color=BEST,
            marker="o",
            linestyle="none",
            label="weights copied from another trial",
        ),
        Line2D([], [], color=OTHER, alpha=0.5, linewidth=1.1, label="other trials"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)


def _panels(figure: Any, number: int, **shared: Any) -> list[Any]:
    """Small axes in rows of four; the unused ones of the last row are hidden."""
    columns = min(_COLUMNS, number)
    rows = math.ceil(number / columns)
    axes: list[Any] = figure.subplots(rows, columns, squeeze=False, **shared).ravel().tolist()
    for empty in axes[number:]:
        empty.set_visible(False)
    return axes[:number]


def _size(number: int) -> tuple[float, float]:
    return FULL_WIDTH_IN, 0.7 + _ROW_IN * math.ceil(number / _COLUMNS)


def _axis_positions(axes: Any, dimension: SearchDimension, trials: Trials) -> list[float]:
    """Positions of the trials on the axis; trials with the same choice are jittered."""
    values = [_number(dimension, trial["setting"][dimension.field]) for trial in trials]
    if dimension.kind != "choice":
        return values
    _name_choices(axes.set_xticks, dimension)
    axes.set_xlim(-0.5, len(dimension.choices) - 0.5)
    shifts = np.random.default_rng(0).uniform(-_JITTER, _JITTER, len(values))
    return [value + float(shift) for value, shift in zip(values, shifts, strict=True)]


def _number(dimension: SearchDimension, value: Any) -> float:
    return float(dimension.choices.index(value) if dimension.kind == "choice" else value)


def _name_choices(set_ticks: Any, dimension: SearchDimension) -> None:
    if dimension.kind == "choice":
        names = [f"{c:g}" if type(c) is float else str(c) for c in dimension.choices]
        set_ticks(range(len(names)), names)


def _scale(axis: Any, set_scale: Any, dimension: SearchDimension) -> None:
    if dimension.kind == "log_uniform":
        set_scale("log")
        _plain_log(axis, dimension)
    elif dimension.kind == "integer":
        axis.get_major_locator().set_params(integer=True)


def _step_line(
    steps: Sequence[dict[str, Any]], last_epoch: int, dimension: SearchDimension
) -> tuple[list[float], list[float]]:
    """Epochs and values of a step line that holds each value until the next step."""
    epochs = [step["epoch"] - 0.5 for step in steps]
    values = [_number(dimension, step["setting"][dimension.field]) for step in steps]
    return [*epochs, last_epoch + 0.5], [*values, values[-1]]


def _plain_log(axis: Any, dimension: SearchDimension) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    assert dimension.low is not None
    assert dimension.high is not None
    is_wide = dimension.high / dimension.low > 100
    axis.set_major_locator(LogLocator(10, subs=(1,) if is_wide else (1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())
