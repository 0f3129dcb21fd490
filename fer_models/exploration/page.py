"""The HTML page of an exploration."""

from collections.abc import Mapping
from typing import Any

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.plotting.figure import RenderedFigure
from fer_models.plotting.page import page_environment

PACKAGE = "fer_models.exploration"
_PAGE = "exploration.html.j2"


def render_page(summary: Mapping[str, Any], figures: Mapping[str, RenderedFigure]) -> str:
    """The self-contained HTML page.

    Args:
        summary: as `explore.summarise` returns it.
        figures: figures by name; sections of absent figures are left out.
    """
    environment = page_environment(PACKAGE)
    environment.filters |= {"number": _number, "percent": _percent, "spaced": _spaced}
    classes = tuple(row["class"] for row in summary["classes"])
    return environment.get_template(_PAGE).render(
        summary=summary,
        figures=figures,
        own_classes=() if classes == FER2013_CLASSES.names else classes,
    )


def _number(value: float) -> str:
    """Counts with thousands separators, grey values with two decimals."""
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u202f%"


def _spaced(name: str) -> str:
    return name.replace("_", " ")
