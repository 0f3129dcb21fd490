"""Contact sheets: many small faces in one figure, each with a caption."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.plotting.figure import RenderedFigure, render_figure
from fer_models.plotting.svg import FULL_WIDTH_IN, INK, MUTED

Greys = npt.NDArray[np.uint8]
_GAP_PX = 4
_HEADING_IN = 1.35
_LINE_PX = 8.2  # height of a caption line, in face pixels


@dataclass(frozen=True)
class Cell:
    """An image (uint8 H x W) and its caption."""

    pixels: Greys
    caption: str = ""


@dataclass(frozen=True)
class Strip:
    """A row of cells, with a heading on the left ("" for none) and a note below the heading."""

    cells: Sequence[Cell]
    heading: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Layout:
    """Positions in face pixels; the scale makes all columns fit the width."""

    columns: int
    cell_width: int
    cell_height: int
    tops: Sequence[int]  # top of each strip, and the bottom of the last one
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


def render_sheet(name: str, title: str, strips: Sequence[Strip], columns: int) -> RenderedFigure:
    """Render strips of up to `columns` cells, one below the other; all cells have one size."""
    height, width = strips[0].cells[0].pixels.shape
    tops = [0]
    for strip in strips:
        lines = max(cell.caption.count("\n") + bool(cell.caption) for cell in strip.cells)
        tops.append(tops[-1] + height + _GAP_PX + math.ceil(lines * _LINE_PX))
    has_headings = any(strip.heading for strip in strips)
    layout = _Layout(columns, width, height, tops, has_headings)
    size_in = (FULL_WIDTH_IN, tops[-1] / layout.px_per_in + 0.12)
    return render_figure(name, title, size_in, lambda figure: _plot(figure, strips, layout))


def wrapped(cells: Sequence[Cell], columns: int) -> list[Strip]:
    """The cells in strips of `columns`."""
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
                x, y = left + column * layout.pitch, top + layout.cell_height + 1.2
                axes.text(x, y, cell.caption, va="top", fontsize=6.8, linespacing=1.15)


def _mosaic(strips: Sequence[Strip], layout: _Layout) -> npt.NDArray[np.uint8]:
    """All cells as one RGBA image; the gaps are transparent."""
    shape = (layout.tops[-1], layout.columns * layout.pitch, 4)
    mosaic = np.zeros(shape, dtype=np.uint8)
    for top, strip in zip(layout.tops, strips, strict=False):
        for column, cell in enumerate(strip.cells):
            left = column * layout.pitch
            area = mosaic[top : top + layout.cell_height, left : left + layout.cell_width]
            area[..., :3] = cell.pixels[..., None]
            area[..., 3] = 255
    return mosaic
