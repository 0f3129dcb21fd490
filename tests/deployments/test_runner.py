import subprocess
import sys
import time

import psutil
import pytest

from deployments import runner as module


def _process(code: str) -> psutil.Popen:
    process = psutil.Popen(
        [sys.executable, "-c", f"import signal, time; {code}; print(flush=True); time.sleep(600)"],
        stdout=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    return process


def test_runs_are_asked_to_end_and_those_that_do_not_are_killed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_GRACE_S", 1.0)
    polite = _process("pass")
    stubborn = _process("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    module._end([polite, stubborn])
    assert polite.wait() == -15
    assert stubborn.wait() == -9


def test_the_exit_code_of_a_run_is_left_for_the_runner() -> None:
    process = subprocess.Popen([sys.executable, "-c", "raise SystemExit(7)"])
    start_s = time.monotonic()
    module._end([psutil.Process(process.pid)], politely=False)
    assert time.monotonic() - start_s < module._GRACE_S
    assert process.wait() == 7
