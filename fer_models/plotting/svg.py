"""Matplotlib figures as inline SVG that takes its colours from the page's style sheet.

One figure then suits light and dark mode, screen and paper, and its text can be searched and
selected. Colours are drawn as placeholders and then replaced by CSS variables.
"""

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Name of the CSS variable -> placeholder, a colour that nothing else uses.
_PLACEHOLDERS = {
    "ink": "#010203",
    "muted": "#010204",
    "line": "#010205",
    "card": "#010206",
    **{f"c{number}": f"#0102{16 + number:02x}" for number in range(8)},
}
NUM_SERIES_COLOURS = 8
INK, MUTED, LINE, CARD = (_PLACEHOLDERS[name] for name in ("ink", "muted", "line", "card"))
# Widths of a full and of a half card; with these, text has the same size in both.
FULL_WIDTH_IN = 10.4
HALF_WIDTH_IN = 5.0
_USUAL_ROWS, _MAX_USUAL_ROWS, _MIN_HEIGHT_IN = 7, 10, 1.9


def series_colour(number: int) -> str:
    """The colour of a series: eight colour-blind-safe colours (Okabe and Ito), then repeated."""
    return _PLACEHOLDERS[f"c{number % NUM_SERIES_COLOURS}"]


def rows_height_in(num_rows: int, seven_in: float, row_in: float = 0.42) -> float:
    """Height in inches of a chart with a row per class, of which seven take `seven_in`."""
    return max(seven_in + row_in * (num_rows - _USUAL_ROWS), _MIN_HEIGHT_IN)


def fit_rows(axes: Any, num_rows: int) -> None:
    """Limit the blank above and below many rows: matplotlib's margins grow with the height."""
    if num_rows > _MAX_USUAL_ROWS:
        axes.set_ylim(-0.8, num_rows - 0.2)


def short_name(name: str, max_characters: int = 22) -> str:
    """The name, or its beginning and an ellipsis: a class name may have 60 characters."""
    if len(name) <= max_characters:
        return name
    return f"{name[: max_characters - 1].rstrip()}\u2026"


def render_svg(
    name: str, label: str, size_in: tuple[float, float], plot: Callable[[Any], None]
) -> str:
    """Render a new matplotlib figure as an SVG element.

    Args:
        name: unique on the page; prefix of all element ids.
        label: text alternative for screen readers.
        size_in: width and height in inches.
        plot: plots on the matplotlib `Figure` that it is called with.

    Example:
        svg = render_svg("loss", "Loss by epoch", (HALF_WIDTH_IN, 3.0), plot)
    """
    from matplotlib.figure import Figure

    with _style(name):
        figure = Figure(figsize=size_in, layout="constrained")
        plot(figure)
        buffer = io.StringIO()
        # No date: the same data give the same bytes.
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    size = "wide" if size_in[0] > HALF_WIDTH_IN else "half"
    return _inlined(buffer.getvalue(), name, label, size)


def style_axes(axes: Any, grid: str = "y") -> None:
    """Remove spines and tick marks; add a faint grid along one axis."""
    for side in ("top", "right", "left" if grid == "y" else "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(which="both", length=0)
    axes.set_axisbelow(True)
    axes.grid(axis=grid, color=LINE, linewidth=0.8)


def percent_axis(axis: Any, decimals: int | None = None) -> None:
    """Format shares (0..1) as percent; by default with as many decimals as the ticks need."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=decimals, symbol=" %"))


@contextmanager
def _style(name: str) -> Iterator[None]:
    import matplotlib as mpl

    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 9.2,
        "font.family": "sans-serif",
        "axes.titlesize": 9.8,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlecolor": INK,
        "axes.edgecolor": LINE,
        "axes.labelcolor": MUTED,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "lines.linewidth": 1.8,
        "axes.unicode_minus": False,
        # A $ in a name does not start a formula.
        "text.parse_math": False,
    }
    with mpl.rc_context(settings):
        yield


def _inlined(svg: str, name: str, label: str, size: str) -> str:
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    for variable, placeholder in _PLACEHOLDERS.items():
        svg = svg.replace(placeholder, f"var(--{variable})")
    attributes = f'class="{size}" role="img" aria-label="{escape(label)}"'
    return svg.replace("<svg ", f"<svg {attributes} ", 1)
