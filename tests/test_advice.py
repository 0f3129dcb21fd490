"""Settings that messages name are followed by tests."""

import ast
import copy
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from flows.pipeline_config import PipelineConfig
from flows.recipes import load_config
from flows.recipes.assign import assign_all

ROOT = Path(__file__).parents[1]
_NAME = re.compile(r"\b[a-z_]+(?:\.[a-z_]+)+\b")


def settings_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The paths of all settings, as `--set` takes them."""
    for name, field in model.model_fields.items():
        yield prefix + name
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from settings_of(kind, f"{prefix}{name}.")


def texts_of(tree: ast.AST) -> Iterator[str]:
    """The messages of a module: not docstrings, descriptions of settings, or single words."""
    ignored: set[Any] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            ignored.add(node.value)
        if isinstance(node, ast.keyword) and node.arg == "description":
            ignored.update(ast.walk(node.value))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in ignored:
            yield from [node.value] if " " in node.value else []


@functools.cache
def named_in_messages() -> frozenset[str]:
    """The settings that texts of the code name."""
    known = {path for path in settings_of(PipelineConfig) if "." in path}
    known |= {path.removeprefix("members.") for path in known if path.startswith("members.")}
    named: set[str] = set()
    for package in ("fer_models", "validation", "tasks", "flows", "deployments"):
        for path in (ROOT / package).rglob("*.py"):
            for text in texts_of(ast.parse(path.read_text(encoding="utf-8"))):
                named.update(_NAME.findall(text))
    return frozenset(named & known)


def test_every_setting_that_a_message_names_is_followed_by_a_test() -> None:
    """By its full name in a `test_*advice.py`, whose tests apply what messages propose.

    It finds a setting without any test, not a second message about the same setting.
    """
    files = [path for path in (ROOT / "tests").rglob("test_*advice.py") if path != Path(__file__)]
    tests = "\n".join(path.read_text(encoding="utf-8") for path in files).replace("\\", "")
    assert not named_in_messages() - set(_NAME.findall(tests))


def test_every_setting_that_a_message_names_can_be_set() -> None:
    """`--set` knows its path; whether the value is valid, the tests of the advice show."""
    config = load_config("demo").model_dump(mode="json")
    for name in sorted(named_in_messages()):
        problems = assign_all(copy.deepcopy(config), [f"{name}=1"], "--set")
        assert not problems
