"""Templates of the page server, with the texts that they share."""

from typing import Any

from fer_models.history.comparison.page import moment
from fer_models.plotting.page import page_environment
from fer_models.reporting.view import percent, short_count

_PACKAGE = "deployments.pages"


def render(template: str, **context: Any) -> str:
    """The HTML of a page.

    Args:
        template: file name of a template of this package.
        context: its variables; all are escaped.

    Example:
        render("message.html.j2", title="Not found", message="Nothing is at this address.")
    """
    environment = page_environment(_PACKAGE)
    environment.filters |= {"moment": moment, "percent": percent, "short_count": short_count}
    return environment.get_template(template).render(**context)
