"""The command that a finished run proposes next."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from deployments.cli.options import config_from, request_from
from deployments.cli.run import command as run
from deployments.cli.runs.next_command import next_command
from deployments.cli.up import command as up


def _proposed(*arguments: str) -> tuple[dict[str, Any], str]:
    options = run.make_context("run", list(arguments)).params
    return options, next_command(request_from(options), options["store_url"])


def test_ferflow_up_is_proposed_with_the_settings_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["--data", "my faces", "--recipe", "folder-quick", "--store", "st2"]
    arguments += ["--set", "members.0.training.epochs=3", "--seed", "7"]
    options, proposed = _proposed(*arguments)
    words = shlex.split(proposed.split("   (")[0])
    assert Path(words[0]).name == "ferflow"
    assert words[1] == "up"
    served = up.make_context("up", words[2:]).params
    assert config_from(served) == config_from(options)


def test_the_default_store_and_recipe_are_not_repeated() -> None:
    assert "ferflow up, for the UI" in _proposed()[1]
    assert "--store" not in _proposed("--recipe", "folder-quick", "--data", "synthetic")[1]
