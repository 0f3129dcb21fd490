"""How a command ends: interrupted, with nobody who reads its output, with wrong arguments."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from deployments.cli import main
from deployments.cli.output import reporting_command
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


class InterruptedWhenDeleted:
    """Gets Ctrl-C in `__del__`, where Python prints and ignores what is raised."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)


@click.command()
@reporting_command
def _command() -> dict[str, Any]:
    InterruptedWhenDeleted()
    time.sleep(60)
    return {}


def test_a_ctrl_c_that_python_ignored_ends_a_command() -> None:
    result = CliRunner().invoke(_command)
    assert result.exit_code == 130
    assert "interrupted; run the same command again to resume" in result.output


def _run_unread(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """`ferflow ... | true`, after `true` has ended."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, "-m", "deployments", *arguments],
            check=False,
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(write)


@pytest.mark.parametrize("option", [(), ("--json",)])
@pytest.mark.parametrize("command", ["recipes", "models list"])
def test_a_command_whose_output_nobody_reads_ends_quietly_as_by_sigpipe(
    store: ArtifactStore, command: str, option: tuple[str, ...]
) -> None:
    where: tuple[str, ...] = ()
    if command == "models list":
        build_model(store, build_snapshot(store, 140))
        where = ("--store", store.url)
    ended = _run_unread(*command.split(), *where, *option)
    assert ended.returncode == 128 + signal.SIGPIPE
    if not option:  # with `--json` the table is on stderr
        assert ended.stderr == ""
    assert "error" not in ended.stderr.lower()


@click.command()
@reporting_command
def _lost_connection() -> dict[str, Any]:
    raise BrokenPipeError(32, "Broken pipe")


def test_a_connection_that_broke_is_an_error() -> None:
    result = CliRunner().invoke(_lost_connection, ["--json"])
    assert result.exit_code == 1
    assert "error: BrokenPipeError" in result.stderr
    assert json.loads(result.stdout)["kind"] == "BrokenPipeError"


@pytest.mark.parametrize(
    ("arguments", "kind", "part"),
    [
        (("run", "--json", "--seed", "-1"), "BadParameter", "Invalid value for '--seed'"),
        (("models", "promote", "--json"), "MissingParameter", "Missing argument"),
        (("models", "show", "x", "--josn", "--json"), "NoSuchOption", "--josn"),
        (("modles", "--json"), "NoSuchCommand", "modles"),
    ],
)
def test_wrong_arguments_are_reported_as_json_too(
    arguments: tuple[str, ...], kind: str, part: str
) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert (answer["kind"], answer["problems"]) == (kind, [])
    assert part in answer["error"]
    assert f"Error: {answer['error']}" in result.stderr


def test_wrong_arguments_without_json_leave_stdout_empty(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["run", "--seed", "-1", "--store", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for '--seed'" in result.stderr
