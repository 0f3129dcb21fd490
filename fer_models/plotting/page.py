"""Self-contained HTML pages: one jinja2 environment, and the templates that pages share.

Shared templates: `layout.html.j2` (the frame of a page), `macros.html.j2` and `style.css`.
"""

import hashlib
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

_SHARED = "fer_models.plotting"


def page_environment(package: str) -> "Environment":
    """A jinja2 environment that finds a package's own templates first, then the shared ones.

    Values are HTML-escaped, and an undefined name is an error.

    Args:
        package: dotted name of a package with a `templates` folder.

    Example:
        environment = page_environment("fer_models.reporting")
        html = environment.get_template("report.html.j2").render(**context)
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(_SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def templates_hash(package: str) -> str:
    """Hex sha256 over every template that a page of the package can use, shared ones included."""
    digest = hashlib.sha256()
    for owner in (package, _SHARED):
        templates = resources.files(owner) / "templates"
        for template in sorted(templates.iterdir(), key=lambda entry: entry.name):
            digest.update(f"{owner}/{template.name}\0".encode() + template.read_bytes())
    return digest.hexdigest()
