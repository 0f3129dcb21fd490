"""`ferflow pages` as a process."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest

from tests.deployments.processes import Workspace


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_a_signal_and_exits_with_0(
    tmp_path: Path, end: signal.Signals
) -> None:
    process = Workspace(tmp_path).start("pages", "--store", "a store", "--port", "0", "--json")
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready["state"] == "ready"
    with urllib.request.urlopen(f"{ready['url']}/") as answer:
        assert b"None yet." in answer.read()
    process.send_signal(end)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "stopped"
    assert "Traceback" not in err


def test_serving_other_machines_without_a_password_is_refused(tmp_path: Path) -> None:
    refused = Workspace(tmp_path).run("pages", "--host", "0.0.0.0", "--port", "0", expect=2)
    assert "PREFECT_SERVER_API_AUTH_STRING=user:password" in refused["error"]
