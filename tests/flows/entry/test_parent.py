"""A served run does not outlive the process that serves it."""

import subprocess
import sys
import time

import psutil
import pytest

from flows.entry.parent import PARENT_VARIABLE, end_with_parent

_RUN = """
import time
from flows.entry.parent import end_with_parent
print("watched" if end_with_parent() else "free", flush=True)
time.sleep(600)
"""
_UP = """
import os, subprocess, sys
os.environ[sys.argv[1]] = str(os.getpid())
run = subprocess.Popen([sys.executable, "-c", sys.argv[2]])
print(run.pid, flush=True)
run.wait()
"""


def test_a_run_ends_soon_after_its_up_was_killed() -> None:
    up = subprocess.Popen(
        [sys.executable, "-c", _UP, PARENT_VARIABLE, _RUN], stdout=subprocess.PIPE, text=True
    )
    assert up.stdout is not None
    try:
        lines = {up.stdout.readline().strip(), up.stdout.readline().strip()}
        assert "watched" in lines
        run = psutil.Process(int((lines - {"watched"}).pop()))
    finally:
        up.kill()
        up.wait()
        up.stdout.close()
    until_s = time.monotonic() + 60
    while run.is_running() and run.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < until_s
        time.sleep(0.1)


def test_another_process_is_not_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PARENT_VARIABLE, "1")
    assert end_with_parent() is None
