"""Charts of the data."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import KEPT, SPLITS, DatasetSnapshot
from fer_models.plotting.svg import (
    HALF_WIDTH_IN,
    INK,
    render_svg,
    rows_height_in,
    series_colour,
    short_name,
    style_axes,
)

Floats = npt.NDArray[np.float64]


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
