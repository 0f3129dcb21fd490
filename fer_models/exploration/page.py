"""The page of an exploration: figures and drawings put into the template."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from fer_models.plotting.figure import Drawing

TEMPLATES = resources.files("fer_models.exploration") / "templates"
# The style sheet and the macros are those of the run's report.
_SHARED = resources.files("fer_models.reporting") / "templates"
_PAGE = "exploration.html.j2"


def render_page(summary: Mapping[str, Any], drawings: Mapping[str, Drawing]) -> str:
    """The HTML; it needs no other file and no network."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent, "words": _words}
    return environment.get_template(_PAGE).render(summary=summary, drawings=drawings)


def _template(name: str) -> str:
    own = TEMPLATES / name
    return (own if own.is_file() else _SHARED / name).read_text("utf-8")


def _number(value: float) -> str:
    """Counts with a comma at the thousands, grey values with two decimals."""
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u202f%"


def _words(name: str) -> str:
    return name.replace("_", " ")
