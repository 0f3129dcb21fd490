"""Options that messages name exist on the commands that show these messages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from deployments.cli import main

ROOT = Path(__file__).parents[1]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
COMMAND = re.compile(r"ferflow ([a-z][^`;,)]*)")
LIBRARY = ("fer_models", "validation", "tasks", "flows")
# Programs with options of their own, and a folder that runs as `python -m`.
OTHER_PROGRAMS = re.compile(r"\b(?:pip|ray|git|python -m [\w.]+) [^`;,)]*")
OWN_PROGRAM = ROOT / "fer_models" / "campaign"

TRAIN = ("run", "task train", "task tune", "task lr-find", "task final-fit", "models reproduce")
INGEST = ("run", "task ingest", "up")
EXPORT, SUBMIT, REVIEW = ("models export",), ("submit",), ("review",)
PREDICT = ("predict", "serve", "predict-batch")
WITH_STORE = (*TRAIN, *INGEST, *EXPORT, *SUBMIT, *REVIEW, *PREDICT, "drift", "store check")
# Options that messages of the library name without their command, and the commands that can show
# such a message.
NAMED_ALONE = {
    "--store": WITH_STORE,
    "--set": (*TRAIN, *INGEST),
    "--weights-dir": TRAIN,
    "--snapshot": ("models import",),
    "--name": EXPORT,
    "--onnx": EXPORT,
    "--int8": EXPORT,
    "--images": EXPORT,
    "--without-weights": EXPORT,
    "--timm": ("networks list",),
    "--label-scheme": SUBMIT,
    "--id-column": SUBMIT,
    "--format": ("predict",),
    "--out": REVIEW,
    "--faces": PREDICT,
    "--member": ("task train",),
    "--to": ("models rollback",),
    "--reason": ("models promote", "models rollback"),
    "--replace": ("recipes save",),
}


def texts_of(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that users may see; what a text inserts is `X`."""
    ignored: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):  # docstrings
            ignored.update(id(part) for part in ast.walk(node))
        if id(node) in ignored:
            continue
        if isinstance(node, ast.JoinedStr):
            ignored.update(id(part) for part in ast.walk(node))
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.value


def messages(*packages: str) -> list[tuple[Path, str]]:
    """The texts with options, by module; f-strings are whole."""
    return [
        (path, text)
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if OWN_PROGRAM not in path.parents
        for text in texts_of(ast.parse(path.read_text(encoding="utf-8")))
        if OPTION.search(text)
    ]


def options_of(words: list[str]) -> set[str] | None:
    """The options of a command, without its arguments; None if there is no such command."""
    command: click.Command = main
    context = click.Context(command, info_name="ferflow")
    for word in words:
        if not isinstance(command, click.Group):
            break
        found = command.get_command(context, word)
        if found is None:
            return None
        command, context = found, click.Context(found, parent=context, info_name=word)
    return {option for one in command.params for option in one.opts}


def named_with_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command in a text, and the options that are named with it."""
    for rest in COMMAND.findall(text):
        words = [word for word in rest.split() if not word.startswith("-")]
        yield " ".join(words), OPTION.findall(rest)


@pytest.mark.parametrize("package", ["deployments", *LIBRARY])
def test_a_command_in_a_message_has_the_options_that_it_is_shown_with(package: str) -> None:
    for path, text in messages(package):
        for command, options in named_with_commands(text):
            known = options_of(command.split())
            assert known is not None or not options, (path, text)
            assert not set(options) - (known or set()), (path, text)


def test_options_that_the_library_names_alone_exist_wherever_the_message_is_shown() -> None:
    found = {
        option: path
        for path, text in messages(*LIBRARY)
        for option in OPTION.findall(OTHER_PROGRAMS.sub("", COMMAND.sub("", text)))
    }
    assert found.keys() <= NAMED_ALONE.keys(), found
    for option in found:
        for command in NAMED_ALONE[option]:
            assert option in (options_of(command.split()) or ()), (option, command)


def test_options_that_the_command_line_names_alone_exist() -> None:
    every = {option for words in _commands(main, []) for option in options_of(words) or ()}
    named = {
        option
        for _, text in messages("deployments")
        for option in OPTION.findall(OTHER_PROGRAMS.sub("", text))
    }
    assert not named - every - {"--help"}


def _commands(group: click.Group, words: list[str]) -> Iterator[list[str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield [*words, name]
        if isinstance(found, click.Group):
            yield from _commands(found, [*words, name])
