"""`ferflow serve` as a process: ready, answering, stopped with requests in progress."""

import base64
import json
import re
import signal
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.deployments.inference_server.conftest import png
from tests.deployments.processes import Workspace

_REQUESTS = 4
_PICTURES = 64


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_finishes_requests_in_progress_and_exits_with_0(
    tmp_path: Path, end: signal.Signals
) -> None:
    arguments = ("--model", "bundled:face_cnn", "--speed", "best", "--port", "0", "--json")
    process = Workspace(tmp_path).start("serve", *arguments)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert (ready["state"], ready["model"]) == ("ready", "bundled:face_cnn")
    with ThreadPoolExecutor(_REQUESTS) as clients:
        answers = [clients.submit(_predict, ready["url"]) for _ in range(_REQUESTS)]
        _wait_until_all_arrived(ready["url"])
        process.send_signal(end)
        assert [len(answer.result(120)["pictures"]) for answer in answers] == [64] * _REQUESTS
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["state"] == "stopped"
    assert "Traceback" not in err


def _predict(url: str) -> dict[str, Any]:
    pictures = [{"data": base64.b64encode(png(seed)).decode()} for seed in range(_PICTURES)]
    body = json.dumps({"pictures": pictures}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/predict?faces=crop", body, headers)
    with urllib.request.urlopen(request) as answer:
        answered: dict[str, Any] = json.load(answer)
        return answered


def _wait_until_all_arrived(url: str) -> None:
    """Until the last request waits in the queue, or all are predicted on a fast machine."""
    for _ in range(3000):
        with urllib.request.urlopen(f"{url}/metrics") as answer:
            text = answer.read().decode()
        arrived = _metric(text, "ferflow_waiting_pictures")
        arrived += _metric(text, "ferflow_batch_pictures_sum")
        # The batch that is being predicted is in neither.
        if arrived >= (_REQUESTS - 1) * _PICTURES:
            return
        threading.Event().wait(0.01)
    raise AssertionError("the requests did not arrive")


def _metric(text: str, name: str) -> float:
    [value] = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(value)


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
