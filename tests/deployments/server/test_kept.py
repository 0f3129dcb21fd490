"""A server that ends by itself, and what is done about it; `sleep` stands for the server."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.server import kept
from deployments.server.kept import kept_running
from deployments.server.process import ServerProcess


class _Started:
    """Counts the servers that were started."""

    def __init__(self, home: Path, code: str = "input()") -> None:
        self._home = home
        self._code = code
        self.servers: list[ServerProcess] = []

    def __call__(self) -> ServerProcess:
        process = subprocess.Popen([sys.executable, "-c", self._code], stdin=subprocess.PIPE)
        self.servers.append(_Answering("http://127.0.0.1:1/api", process, self._home))
        return self.servers[-1]


class _Answering(ServerProcess):
    def wait(self) -> None:
        """It is up at once."""


@pytest.fixture(autouse=True)
def _look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_POLL_S", 0.01)


def test_a_killed_server_is_started_again_and_the_last_one_stops_with_the_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = _Started(tmp_path)
    with kept_running(start) as server:
        server.process.kill()
        _until(lambda: len(start.servers) == 2)
        assert start.servers[1].process.poll() is None
    assert start.servers[1].process.poll() is not None
    assert "the Prefect server ended (SIGKILL); starting it again" in capsys.readouterr().err


def test_a_server_that_ends_with_the_block_is_not_started_again(tmp_path: Path) -> None:
    start = _Started(tmp_path)
    with kept_running(start):
        pass
    time.sleep(0.1)
    assert len(start.servers) == 1


def test_a_server_that_ends_again_and_again_ends_this_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked_to_end = threading.Event()
    earlier = signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    start = _Started(tmp_path, code="raise SystemExit(3)")
    try:
        with kept_running(start):
            _until(asked_to_end.is_set)
    finally:
        signal.signal(signal.SIGTERM, earlier)
    assert len(start.servers) == 6
    assert "ended 6 times within 10 minutes, last with exit code 3" in capsys.readouterr().err


def _until(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.01)
