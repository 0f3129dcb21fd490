"""Rendered figures: colours of the style sheet, and reproducible bytes."""

import re
from importlib import resources
from typing import Any

from fer_models.plotting.figure import LIGHT_COLOURS, render_figure
from fer_models.plotting.svg import CARD, HALF_WIDTH_IN, INK, LINE, MUTED, series_colour


def _bars(figure: Any) -> None:
    axes = figure.subplots()
    axes.bar(["a", "b"], [1, 2], color=[series_colour(0), series_colour(1)])


def test_light_colours_are_those_of_the_style_sheet() -> None:
    css = (resources.files("fer_models.plotting") / "templates/style.css").read_text("utf-8")
    light = dict(re.findall(r"--([\w-]+): (#\w+);", css[: css.index("@media")]))
    names = {INK: "ink", MUTED: "muted", LINE: "line", CARD: "card"}
    names |= {series_colour(number): f"c{number}" for number in range(8)}
    expected = {placeholder: light[name] for placeholder, name in names.items()}
    assert expected == LIGHT_COLOURS


def test_the_same_figure_has_the_same_bytes() -> None:
    first, second = (render_figure("bars", "Bars", (HALF_WIDTH_IN, 2.0), _bars) for _ in range(2))
    assert first == second
    assert first.file == "bars.png"


def test_a_label_is_escaped_and_ids_have_the_name_as_prefix() -> None:
    svg = render_figure("bars", 'a "b" <c>', (HALF_WIDTH_IN, 2.0), _bars).svg
    assert 'aria-label="a &#34;b&#34; &lt;c&gt;"' in svg
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(one.startswith("bars-") for one in ids)
