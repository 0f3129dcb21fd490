import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from deployments.cli import main


def _ferflow(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def _process(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "deployments", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd)


@pytest.mark.parametrize(
    "command",
    [
        *("run", "review", "task", "up", "recipes", "models", "doctor"),
        *("runs", "runs list", "runs show", "runs compare", "runs open"),
        *("datasets", "networks", "models list", "networks summary"),
        *("task ingest", "task clean", "task explore", "task report"),
    ],
)
def test_every_command_has_help(command: str) -> None:
    result = _ferflow(*command.split(), "--help")
    assert result.exit_code == 0
    assert "Usage: main" in result.output


def test_json_is_one_line_on_stdout_and_all_else_goes_to_stderr(tmp_path: Path) -> None:
    done = _process("recipes", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["recipes"] == [
        "demo",
        "fer2013",
        "fer2013-ensemble",
        "fer2013-fast",
        "fer2013-gpu",
        "fer2013-lite0",
        "fer2013-quick",
        "fer2013-single",
        "fer2013-small",
        "folder",
        "folder-quick",
        "seed-baselines",
    ]
    assert "compact_cnn" in done.stderr
    assert len(done.stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("run", "--recipe", "dmeo"), ["did you mean 'demo'"]),
        (("run", "--set", "sed=1", "--set", "tuning.member=x"), ["'seed'", "tuning.member"]),
        (("run", "--data", "absent.csv"), ["absent.csv"]),
        (("run", "--store", "ftp://host/x"), ["ftp://host/x", "s3://"]),
        (("task", "ingest", "--data", "absent.csv"), ["absent.csv"]),
        (("task", "train", "--member", "nobody"), ["nobody", "compact_cnn"]),
        (("task", "clean"), ["ferflow task ingest"]),
        (("task", "clean", "--snapshot", "123456"), ["no id starts with '123456'"]),
        (("models", "rollback", "--reason", "bad"), ["no previous champion"]),
        (("models", "rollback"), ["expected a reason", "--reason"]),
        (("models", "show", "champion"), ["there is no champion yet"]),
        (("models", "compare", "champion", "x"), ["there is no champion yet"]),
        (("runs", "show", "latest"), ["no runs yet", "ferflow run"]),
        (("task", "evaluate", "--run", "mine"), ["'mine'", "no runs yet"]),
        (("datasets", "show", "123456"), ["no id starts with '123456'"]),
        (("up", "--cron", "every day"), ["every day", "five fields"]),
        (("recipes", "nope"), ["nope", "demo"]),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], parts: list[str]
) -> None:
    done = _process(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    for part in parts:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    answer = json.loads(done.stdout)
    assert answer["error"]
    assert answer["kind"].endswith("Error")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("--bogus run --json", "No such option"),
        ("--json", "No such option"),
        ("nonsense --json", "No such command"),
        ("run --bogus --json", "No such option"),
        ("task train --json --seed x", "Invalid value"),
    ],
)
def test_a_usage_error_is_json_wherever_it_stands(line: str, problem: str) -> None:
    result = _ferflow(*line.split())
    assert result.exit_code == 2
    [answer] = result.stdout.splitlines()
    assert problem in json.loads(answer)["error"]
    assert problem in result.stderr


def test_verbose_shows_the_traceback(tmp_path: Path) -> None:
    done = _process("run", "--recipe", "dmeo", "--verbose", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr


def test_an_unwritable_store_is_reported_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = _process("run", "--store", str(tmp_path / "file" / "store"), cwd=tmp_path)
    assert done.returncode == 2
    assert "choose another --store" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_store_can_be_set_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERFLOW_STORE", str(tmp_path / "elsewhere"))
    result = _ferflow("models", "history", "--json")
    assert result.exit_code == 0
    assert result.output.endswith('{"champion": null, "champions": {}, "history": []}\n')


def test_doctor_reports_an_unreachable_prefect_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    done = _process("doctor", "--json", cwd=tmp_path)
    findings = {item["name"]: item for item in json.loads(done.stdout)["findings"]}
    assert done.returncode == 2
    assert findings["prefect"]["level"] == "problem"
    assert "ferflow up" in findings["prefect"]["advice"]
    assert findings["store"]["level"] == "ok"
    assert {"cores", "gpus", "memory", "wandb", "weights", "packages"} <= findings.keys()
