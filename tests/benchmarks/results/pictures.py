"""Accuracy against cost as a plot, and errors as a sheet of faces. PNG files."""

import io
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_models.evaluation.crowd import crowd_choices
from tests.benchmarks.plots import new_figure
from tests.benchmarks.results.entrants import Entrant
from tests.benchmarks.results.faces import OFFICIAL, LabelledFaces
from tests.benchmarks.results.left import BY_BOTH, BY_CROWD, UNDECIDED, error_kinds
from tests.benchmarks.results.scores import Score

_MARKERS = "osD^vPX*d<>hps"
_COLOURS = (  # Okabe and Ito, without yellow, and a dark red
    "#0072b2",
    "#56b4e9",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#d55e00",
    "#000000",
    "#882255",
)
_PEER_COLOUR = "#666666"
SHEET_KINDS = (BY_CROWD, BY_BOTH, UNDECIDED)
_PER_KIND = 8


def plot_costs(scores: Sequence[Score], title: str, path: Path) -> None:
    """Accuracy with its interval over images/s of a core (log axis); a model's speeds are joined.

    By processor time, because other programs on the machine change the images/s by the clock.
    """
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, axes = new_figure(4.2)
    colours = iter(_COLOURS * len(scores))
    markers = iter(_MARKERS * len(scores))
    for name, unsorted in _by_model(scores).items():
        is_peer = unsorted[0].entrant.is_peer
        colour = _PEER_COLOUR if is_peer else next(colours)
        rows = sorted(unsorted, key=lambda row: row.entrant.images_per_core_s)
        shares = [row.shares[OFFICIAL] for row in rows]
        values = [100 * one.value for one in shares]
        lengths = [
            [100 * (one.value - one.low) for one in shares],
            [100 * (one.high - one.value) for one in shares],
        ]
        axes.errorbar(
            [row.entrant.images_per_core_s for row in rows],
            values,
            yerr=lengths,
            fmt=next(markers) + ("" if is_peer else "-"),
            color=colour,
            markersize=6,
            linewidth=1,
            capsize=2,
            label=name,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel="images a second of one core (processor time, log axis)", ylabel="accuracy, %")
    axes.set_title(title, loc="left", fontsize=9)
    axes.grid(axis="y", linewidth=0.4)
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=8)
    figure.savefig(path, pil_kwargs={"optimize": True})


def _by_model(scores: Sequence[Score]) -> dict[str, list[Score]]:
    """The rows of each model, whose names differ after the comma."""
    models: dict[str, list[Score]] = {}
    for row in scores:
        is_peer = row.entrant.is_peer
        name = row.entrant.name if is_peer else row.entrant.name.partition(",")[0]
        models.setdefault(name, []).append(row)
    return models


def draw_errors(entrant: Entrant, faces: LabelledFaces, path: Path, seed: int = 0) -> int:
    """Draw up to eight errors of three kinds, picked at random; the number of faces.

    The faces are those of the data: the file is for the folder of the run, not for publication.
    """
    answers, names = entrant.probs_NK.argmax(axis=1), faces.classes.names
    majority = crowd_choices(faces.votes_NV, faces.classes).majority
    kinds = error_kinds(answers, faces.labels, majority)
    rng = np.random.default_rng(seed)
    figure, _ = new_figure(1.5 * len(SHEET_KINDS), axes=False)
    parts: Any = figure.subfigures(len(SHEET_KINDS), 1)
    drawn = 0
    for part, kind in zip(parts, SHEET_KINDS, strict=True):
        rows = np.flatnonzero(kinds[kind])
        part.suptitle(f"{kind} ({len(rows):,})", x=0.01, ha="left", fontsize=9)
        for axes, number in zip_longest(
            part.subplots(1, _PER_KIND), np.sort(rng.permutation(rows)[:_PER_KIND])
        ):
            axes.axis("off")
            if number is None:
                continue
            axes.imshow(faces.images[number], cmap="gray", vmin=0, vmax=255)
            crowd = names[majority[number]] if majority[number] >= 0 else "split"
            label, answer = names[faces.labels[number]], names[answers[number]]
            text = f"label {label}\ncrowd {crowd}\nmodel {answer}"
            axes.set_title(text, fontsize=6, loc="left", pad=2)
            drawn += 1
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=90)
    Image.open(buffer).convert("L").quantize(32).save(path, optimize=True)
    return drawn
