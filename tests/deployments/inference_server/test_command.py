"""`ferflow serve` as a process: ready, answering, stopped with requests in progress."""

import json
import signal
import threading
import urllib.request
from pathlib import Path

import pytest

from tests.benchmarks.load import Load, send
from tests.deployments.inference_server.conftest import png
from tests.deployments.processes import Workspace

_CLIENTS = 20


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_finishes_requests_in_progress_and_exits_with_0(
    tmp_path: Path, end: signal.Signals
) -> None:
    arguments = ("serve", "--model", "bundled:face_cnn", "--port", "0", "--json")
    process = Workspace(tmp_path).start(*arguments)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert (ready["state"], ready["model"]) == ("ready", "bundled:face_cnn")
    loads: list[Load] = []
    pictures = [png(seed) for seed in range(_CLIENTS)]
    client = threading.Thread(
        target=lambda: loads.append(send(ready["url"], pictures, clients=_CLIENTS))
    )
    client.start()
    _wait_until_busy(ready["url"])
    process.send_signal(end)
    out, err = process.communicate(timeout=120)
    client.join(60)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "stopped"
    assert "Traceback" not in err
    assert loads[0].lost == 0


def _wait_until_busy(url: str) -> None:
    """Until every request of the load is read: those that come later are refused."""
    for _ in range(600):
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            text = answer.read().decode()
        waiting = float(text.partition("ferflow_waiting_pictures ")[2].split()[0])
        batched = text.partition("ferflow_batch_pictures_sum ")[2].split()[0]
        if waiting + float(batched) > 0:
            break
        threading.Event().wait(0.02)
    threading.Event().wait(0.5)


def test_wrong_settings_are_reported_together(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    arguments = ("serve", "--max-pictures", "0", "--timeout-s", "-1")
    refused = workspace.run(*arguments, expect=2)
    assert [problem.split(":")[0] for problem in refused["problems"]] == [
        "--max-pictures",
        "--timeout-s",
    ]


def test_other_machines_and_missing_models_are_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    refused = workspace.run("serve", "--host", "0.0.0.0", expect=2)
    assert "FERFLOW_SERVE_TOKEN=... or --token-file FILE" in refused["error"]
    workspace.environment["FERFLOW_SERVE_TOKEN"] = "0123456789abcdef"
    refused = workspace.run("serve", "--host", "0.0.0.0", "--store", "empty", expect=2)
    assert "there is no champion yet" in refused["error"]
