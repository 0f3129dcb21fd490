"""The documents name what is there: links, rooms and starting points."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "infra").glob("*.md")])
ARCHITECTURE = ROOT / "docs" / "architecture.md"
MOST_MODULES = 13
_IMPORT = re.compile(
    r"^ *from ((?:deployments|flows|tasks|validation|fer_models)[\w.]*) import ([\w, ]+)$",
    re.MULTILINE,
)
_ROOM = re.compile(r"^( {6}| {8})([a-z0-9_]+)/ ", re.MULTILINE)


def _rooms() -> set[str]:
    """Folders with modules below fer_models, such as `training/engine`."""
    library = ROOT / "fer_models"
    return {
        path.parent.relative_to(library).as_posix()
        for path in library.rglob("__init__.py")
        if path.parent != library
    }


def _documented_rooms() -> set[str]:
    rooms, parent = set(), ""
    for indent, name in _ROOM.findall(ARCHITECTURE.read_text("utf-8")):
        parent = name if len(indent) == 6 else parent
        rooms.add(name if len(indent) == 6 else f"{parent}/{name}")
    return rooms


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_to_headings_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text("utf-8"))
    missing = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in _anchors(page.parent / target if target else page)
    ]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_names_that_python_examples_import_exist(page: Path) -> None:
    missing = [
        f"{module}.{name}"
        for module, names in _IMPORT.findall(page.read_text("utf-8"))
        for name in names.replace(" ", "").split(",")
        if not hasattr(importlib.import_module(module), name)
    ]
    assert not missing


def test_the_architecture_shows_every_room_and_no_other() -> None:
    assert _documented_rooms() - {"weights"} == _rooms()


def test_no_room_of_the_library_is_crowded_or_holds_a_single_module() -> None:
    for room in _rooms():
        modules = [p for p in (ROOT / "fer_models" / room).glob("*.py") if p.stem != "__init__"]
        folders = [
            p for p in (ROOT / "fer_models" / room).iterdir() if (p / "__init__.py").exists()
        ]
        assert len(modules) <= MOST_MODULES, room
        assert len(modules) + len(folders) > 1, room


def test_every_starting_point_for_contributors_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rows = re.findall(r"^\| an? [^|]+\|([^|]+)\|([^|]+)\|([^|]+)\|$", text, re.MULTILINE)
    assert len(rows) > 8
    for folders, files, others in rows:
        first = ROOT / re.findall(r"`([^`]+)`", folders)[0]
        assert first.is_dir(), first
        for file in re.findall(r"`([a-z0-9_.-]+\.(?:py|yaml))`", files):
            assert (first / file).is_file(), file
        for file in re.findall(
            r"`((?:docs|tests|validation|fer_models|deployments)/[^`]+)`", others
        ):
            assert (ROOT / file).exists(), file
