"""One matplotlib figure, saved twice: inline SVG for the page, and a PNG file on white."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.plotting.svg import CARD, INK, LINE, MUTED, draw, series_colour

_PNG_DPI = 144
# The page's light colours (`reporting/templates/style.css`), for pictures that have no page.
_LIGHT = {
    INK: "#1b1f24",
    MUTED: "#5b6570",
    LINE: "#dfe3e8",
    CARD: "#ffffff",
    series_colour(0): "#0072b2",
    series_colour(1): "#e69f00",
    series_colour(2): "#009e73",
    series_colour(3): "#d55e00",
    series_colour(4): "#cc79a7",
    series_colour(5): "#56b4e9",
    series_colour(6): "#6b7280",
    series_colour(7): "#b8a800",
}
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


@dataclass(frozen=True)
class Drawing:
    """A finished plot: its name (also of the file), what it shows, inline SVG and PNG bytes."""

    name: str
    title: str
    svg: str
    png: bytes

    @property
    def file(self) -> str:
        """Name of the PNG file."""
        return f"{self.name}.png"


def drawing(
    name: str, title: str, size_in: tuple[float, float], plot: Callable[[Any], None]
) -> Drawing:
    """Draw once, save twice; the arguments are those of `reporting.svg.draw`."""
    figures: list[Any] = []

    def keep(figure: Any) -> None:
        plot(figure)
        figures.append(figure)

    svg = draw(name, title, size_in, keep)
    return Drawing(name, title, svg, _png(figures[0]))


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_layout_engine("none")  # all has its place already
    figure.set_dpi(_PNG_DPI)
    _recolour(figure)
    buffer = io.BytesIO()
    # No version and no date: the same figure gives the same bytes.
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return buffer.getvalue()


def _recolour(figure: Any) -> None:
    """Replace the placeholders of the page's colours in everything that was drawn."""
    from matplotlib.colors import to_rgb, to_rgba_array

    light = {to_rgb(placeholder): to_rgb(colour) for placeholder, colour in _LIGHT.items()}
    for artist in figure.findobj():
        for what in _COLOURED:
            if not hasattr(artist, f"get_{what}") or not hasattr(artist, f"set_{what}"):
                continue
            old = to_rgba_array(getattr(artist, f"get_{what}")())
            new = [(*light.get(tuple(colour[:3]), colour[:3]), colour[3]) for colour in old]
            if any(tuple(before) != after for before, after in zip(old, new, strict=True)):
                getattr(artist, f"set_{what}")(new if len(new) > 1 else new[0])
