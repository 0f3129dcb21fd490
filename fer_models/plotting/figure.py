"""One matplotlib figure, rendered twice: inline SVG for the page, and a PNG file on white."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fer_models.plotting.svg import CARD, INK, LINE, MUTED, render_svg, series_colour

_PNG_DPI = 144
# The light colours of `templates/style.css`: a PNG file has no style sheet.
LIGHT_COLOURS = {
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
_COLOUR_PROPERTIES = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


@dataclass(frozen=True)
class RenderedFigure:
    """A finished figure.

    Attributes:
        name: unique on the page; also the name of the PNG file.
        title: what the figure shows.
        svg: an inline SVG element in the colours of the page.
        png: a PNG file in light colours.
    """

    name: str
    title: str
    svg: str
    png: bytes

    @property
    def file(self) -> str:
        """Name of the PNG file."""
        return f"{self.name}.png"


def render_figure(
    name: str, title: str, size_in: tuple[float, float], plot: Callable[[Any], None]
) -> RenderedFigure:
    """Plot once and render as SVG and as PNG; the arguments are those of `svg.render_svg`.

    Example:
        def plot(figure):
            figure.subplots().plot([1.9, 1.4, 1.2])

        rendered = render_figure("loss", "Loss by epoch", (FULL_WIDTH_IN, 3.0), plot)
        Path(rendered.file).write_bytes(rendered.png)
    """
    figures: list[Any] = []

    def plot_and_keep(figure: Any) -> None:
        plot(figure)
        figures.append(figure)

    svg = render_svg(name, title, size_in, plot_and_keep)
    return RenderedFigure(name, title, svg, _png(figures[0]))


def _png(figure: Any) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    # The SVG was laid out already; a second layout would move things.
    figure.set_layout_engine("none")
    figure.set_dpi(_PNG_DPI)
    _recolour(figure)
    buffer = io.BytesIO()
    # No version and no date: the same figure gives the same bytes.
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": 4})
    return buffer.getvalue()


def _recolour(figure: Any) -> None:
    """Replace the placeholder colours in everything that was drawn."""
    from matplotlib.colors import to_rgb, to_rgba_array

    light = {to_rgb(placeholder): to_rgb(colour) for placeholder, colour in LIGHT_COLOURS.items()}
    for artist in figure.findobj():
        for name in _COLOUR_PROPERTIES:
            if not hasattr(artist, f"get_{name}") or not hasattr(artist, f"set_{name}"):
                continue
            old = to_rgba_array(getattr(artist, f"get_{name}")())
            new = [(*light.get(tuple(colour[:3]), colour[:3]), colour[3]) for colour in old]
            if any(tuple(before) != after for before, after in zip(old, new, strict=True)):
                getattr(artist, f"set_{name}")(new if len(new) > 1 else new[0])
