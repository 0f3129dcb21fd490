"""A password in PREFECT_API_URL is used, and neither printed nor stored."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from deployments import runner
from deployments.automations import setup
from deployments.cli import automations, up
from deployments.cli.doctor import _prefect
from deployments.server.running import write_facts
from tests.deployments.processes import (
    Workspace,
    free_port,
    healthy_server,
    running_prefect_server,
)
from tests.deployments.test_secrets import local_files

PASSWORD = "planted-0123456789abcdef"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The configured address of a server that answers, with a password."""
    with healthy_server() as plain:
        address = _with_password(plain)
        monkeypatch.setenv("PREFECT_API_URL", address)
        yield address


def _with_password(address: str) -> str:
    return address.replace("http://", f"http://me:{PASSWORD}@")


def _hidden(address: str) -> str:
    return address.replace(f"me:{PASSWORD}", "***")


@pytest.mark.parametrize("is_alive", [True, False])
def test_doctor_reaches_the_server_and_hides_the_password(api: str, is_alive: bool) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    address = api if is_alive else _with_password("http://127.0.0.1:9/api")
    with temporary_settings({PREFECT_API_URL: address}):
        finding = _prefect()
    assert finding.level == ("ok" if is_alive else "problem")
    assert _hidden(address) in finding.value
    assert PASSWORD not in repr(finding)


def test_automations_show_the_server_without_the_password(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "ensure_automations", lambda *_, **__: None)
    monkeypatch.setattr(automations, "_names", lambda: ["ferflow: crashed runs"])
    done = CliRunner().invoke(automations.command, ["--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["api"] == _hidden(api)
    assert PASSWORD not in done.output


def test_the_facts_of_up_have_no_password(
    api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(up.PAGES_VARIABLE, f"https://me:{PASSWORD}@pages.example")
    facts = up._facts(api, ["retrain/retrain"], None)
    assert facts["api"] == _hidden(api)
    assert facts["ui"] == _hidden(api).removesuffix("/api")
    assert facts["pages"] == "https://***@pages.example"
    write_facts(tmp_path, facts)
    assert PASSWORD not in (tmp_path / "up.json").read_text()


def test_a_server_that_is_gone_is_named_without_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runner, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(runner, "_processes_of_runs", list)
    monkeypatch.setattr(os, "_exit", lambda _: None)
    address = _with_password("http://127.0.0.1:9/api")
    runner.ServingRunner(address, tmp_path)._stop(lambda: None)
    said = capfd.readouterr().err
    assert f"{_hidden(address)} does not answer" in said
    assert PASSWORD not in said


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_up_uses_a_server_with_a_password_and_repeats_it_nowhere(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (tmp_path / "server").mkdir()
    with running_prefect_server(tmp_path / "server", free_port()) as address:
        workspace.environment["PREFECT_API_URL"] = _with_password(address)
        options = ("--recipe", "tiny.yaml", "--store", str(tmp_path / "store"), "--json")
        process = workspace.start("up", *options, "--pages-port", "0")
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert json.loads(first or "{}").get("api") == _hidden(_with_password(address)), err
    assert PASSWORD not in first + out + err
    for name, content in local_files(tmp_path):
        assert PASSWORD.encode() not in content, name
