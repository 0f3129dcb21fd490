"""Contact sheets: many small faces in one picture, each with a caption below it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.plotting.figure import Drawing, drawing
from fer_models.plotting.svg import FULL_WIDTH_IN, INK, MUTED

Greys = npt.NDArray[np.uint8]
_GAP_PX = 4
_HEADING_IN = 1.35
_LINE_PX = 8.2  # of a caption, in pixels of the faces


@dataclass(frozen=True)
class Cell:
    """A picture (uint8 H x W) and the lines below it."""

    pixels: Greys
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """Pictures side by side, with a heading at their left ("" for none) and a note below that."""

    cells: Sequence[Cell]
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Layout:
    """Where things lie, in pixels of the faces; the scale is chosen so that all columns fit."""

    columns: int
    cell_width: int
    cell_height: int
    tops: Sequence[int]  # of each strip, and the end of the last one
    has_headings: bool

    @property
    def pitch(self) -> int:
        return self.cell_width + _GAP_PX

    @property
    def px_per_in(self) -> float:
        heading = _HEADING_IN if self.has_headings else 0.0
        return self.columns * self.pitch / (FULL_WIDTH_IN - heading)

    @property
    def left_px(self) -> float:
        return _HEADING_IN * self.px_per_in if self.has_headings else 0.0


def sheet(name: str, title: str, strips: Sequence[Strip], columns: int) -> Drawing:
    """Draw strips of up to `columns` pictures below each other; all pictures have one size."""
    height, width = strips[0].cells[0].pixels.shape
    tops = [0]
    for strip in strips:
        lines = max(cell.caption.count("\n") + bool(cell.caption) for cell in strip.cells)
        tops.append(tops[-1] + height + _GAP_PX + math.ceil(lines * _LINE_PX))
    has_headings = any(strip.heading for strip in strips)
    layout = _Layout(columns, width, height, tops, has_headings)
    size_in = (FULL_WIDTH_IN, tops[-1] / layout.px_per_in + 0.12)
    return drawing(name, title, size_in, lambda figure: _plot(figure, strips, layout))


def wrapped(cells: Sequence[Cell], columns: int) -> list[Strip]:
    """The pictures in rows of `columns`."""
    return [Strip(cells[start : start + columns]) for start in range(0, len(cells), columns)]


def _plot(figure: Any, strips: Sequence[Strip], layout: _Layout) -> None:
    axes = figure.subplots()
    axes.set_axis_off()
    mosaic = _mosaic(strips, layout)
    height, width = mosaic.shape[:2]
    left = layout.left_px
    axes.imshow(mosaic, extent=(left, left + width, height, 0), interpolation="none")
    axes.set_xlim(0, left + width)
    for top, strip in zip(layout.tops, strips, strict=False):
        middle = top + layout.cell_height / 2
        if strip.heading:
            axes.text(0, middle, strip.heading, va="bottom", fontsize=8.8, color=INK)
            axes.text(0, middle + 1.5, strip.note, va="top", fontsize=7.4, color=MUTED)
        for column, cell in enumerate(strip.cells):
            if cell.caption:
                place = (left + column * layout.pitch, top + layout.cell_height + 1.2)
                axes.text(*place, cell.caption, va="top", fontsize=6.8, linespacing=1.15)


def _mosaic(strips: Sequence[Strip], layout: _Layout) -> npt.NDArray[np.uint8]:
    """All pictures as one RGBA image; what lies between them is clear."""
    shape = (layout.tops[-1], layout.columns * layout.pitch, 4)
    mosaic = np.zeros(shape, dtype=np.uint8)
    for top, strip in zip(layout.tops, strips, strict=False):
        for column, cell in enumerate(strip.cells):
            left = column * layout.pitch
            area = mosaic[top : top + layout.cell_height, left : left + layout.cell_width]
            area[..., :3] = cell.pixels[..., None]
            area[..., 3] = 255
    return mosaic
