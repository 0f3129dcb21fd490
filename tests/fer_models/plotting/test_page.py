"""The shared page environment: template look-up, escaping and the hash of all templates."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from fer_models.plotting.page import page_environment, templates_hash

PACKAGE = "page_package"


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The templates folder of a package that can be imported."""
    folder = tmp_path / PACKAGE / "templates"
    folder.mkdir(parents=True)
    (tmp_path / PACKAGE / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop(PACKAGE, None)


def test_own_templates_can_extend_the_shared_layout(templates: Path) -> None:
    page = '{% extends "layout.html.j2" %}{% block title %}{{ name }}{% endblock %}'
    (templates / "page.html.j2").write_text(page)
    html = page_environment(PACKAGE).get_template("page.html.j2").render(name="<b>")
    assert "<title>&lt;b&gt; · ferflow</title>" in html
    assert "--accent: #0072b2" in html


def test_an_own_template_overrides_a_shared_one(templates: Path) -> None:
    (templates / "style.css").write_text("own")
    assert page_environment(PACKAGE).get_template("style.css").render() == "own"


def test_unknown_names_and_templates_are_errors(templates: Path) -> None:
    (templates / "page.html.j2").write_text("{{ absent }}")
    environment = page_environment(PACKAGE)
    with pytest.raises(UndefinedError, match="absent"):
        environment.get_template("page.html.j2").render()
    with pytest.raises(TemplateNotFound):
        environment.get_template("missing.html.j2")


def test_the_hash_covers_own_and_shared_templates(
    templates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = templates / "page.html.j2"
    template.write_text("one")
    before = templates_hash(PACKAGE)
    assert templates_hash(PACKAGE) == before
    template.write_text("two")
    changed = templates_hash(PACKAGE)
    assert changed != before
    monkeypatch.setattr("fer_models.plotting.page._SHARED", "fer_models.review")
    assert templates_hash(PACKAGE) != changed
