"""The documented order of the steps is the order in which the flows call the tasks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployments.cli import main

ROOT = Path(__file__).parents[2]
FLOWS = {
    "prepare_data": "prepare",
    "train_models": "train_members",
    "promote_model": "promote_candidate",
}


def _calls(function: ast.FunctionDef, helpers: dict[str, ast.FunctionDef]) -> Iterator[str]:
    """Names called by the function in source order; calls of helpers are replaced by theirs."""
    calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        # `start(task, ...)` calls the task, too.
        for part in (call.func, *call.args):
            name = part.id if isinstance(part, ast.Name) else ""
            if name in helpers:
                yield from _calls(helpers[name], helpers)
            else:
                yield name


def _task_order() -> list[str]:
    """The cached and uncached tasks of the three flows, each at its first call."""
    order: list[str] = []
    for flow, function in FLOWS.items():
        tree = ast.parse((ROOT / "flows" / f"{flow}.py").read_text("utf-8"))
        functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
        tasks = {
            alias.name
            for node in imports
            if str(node.module).startswith("tasks.")
            for alias in node.names
        }
        order += [name for name in _calls(functions[function], functions) if name in tasks]
    return list(dict.fromkeys(order))


def _chain(text: str) -> list[str]:
    """The steps of the first chain `a -> b -> ...`, which may continue on lines with `->`."""
    found = re.search(r"ingest -> [\w>\s-]*?-> report", text)
    assert found, text
    return [step.strip() for step in found[0].split("->")]


def _help() -> str:
    return CliRunner().invoke(main, ["task", "--help"]).output


def test_the_help_shows_the_steps_in_the_order_of_the_flows() -> None:
    chain = _chain(_help())
    assert chain == [name for name in _task_order() if name in chain]
    assert {"ensemble", "evaluate", "promote"} <= set(chain)


def test_the_help_lists_every_step_in_that_order() -> None:
    text = _help().partition("-> report")[2].partition("Commands:")[0]
    listed = re.findall(r"^ +([\w-]+) {2,}.* -> ", text, re.MULTILINE)
    asides = ("lr-find", "final-fit")
    assert [step for step in listed if step not in asides] == _chain(_help())


@pytest.mark.parametrize("page", ["docs/operating.md"])
def test_the_pages_show_the_same_order(page: str) -> None:
    assert _chain((ROOT / page).read_text("utf-8")) == _chain(_help())
