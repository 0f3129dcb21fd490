"""Tracking that can't be as asked: refused by commands."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main
from deployments.cli.doctor import _wandb
from deployments.cli.output import progress_display
from fer_models.progress import report, warn

ONLINE = ("--set", "tracking.mode=online")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and working folder in which wandb was never used."""
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC", "WANDB_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(folder)
    return folder


def ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    "command",
    [("run",), ("up",), ("task", "train"), ("task", "promote"), ("task", "report")],
)
def test_online_without_a_key_is_refused_before_any_work(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    store = tmp_path / "store"
    done = ferflow(*command, *ONLINE, "--store", str(store), "--json")
    assert done.exit_code == 2, done.output
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["kind"] == "ConfigError"
    for text in ("tracking.mode=online", "`wandb login`", "WANDB_API_KEY", "tracking.mode=offline"):
        assert text in said["error"]
    assert not list(tmp_path.rglob("artifact.json"))


def test_it_is_reported_together_with_other_problems(tmp_path: Path) -> None:
    done = ferflow("run", *ONLINE, "--data", "absent.csv", "--store", str(tmp_path / "s"))
    assert done.exit_code == 2
    assert "absent.csv" in done.stderr
    assert "`wandb login`" in done.stderr


def test_warnings_are_printed_at_once_and_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display():
        report("tracking", 1, 5, "epochs")
        warn("tracking", "no [key]")
        warn("tracking", "no server")
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == ["warning: tracking: no [key]", "warning: tracking: no server"]


def test_warnings_are_lines_of_their_own_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress_display():
        warn("tracking", "no [key]")
    assert "warning: tracking: no [key]" in capsys.readouterr().err


def test_doctor_says_where_runs_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (_wandb().level, "`wandb login`" in _wandb().advice) == ("note", True)
    (home / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password " + "x" * 40)
    assert (_wandb().level, ".netrc" in _wandb().value) == ("ok", True)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert "WANDB_MODE=offline" in _wandb().value
    monkeypatch.setenv("WANDB_MODE", "nonsense")
    assert _wandb().level == "problem"
