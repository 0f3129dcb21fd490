"""Ctrl-C and SIGTERM end `ferflow run` soon, with a message, and its runs as Cancelled."""

import contextlib
import shutil
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.deployments.processes import Workspace, running_servers
from tests.operation.served import on_this_machine, records

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENDED_WITHIN_S = 10.0
LONG = ("--set", "members.1.training.epochs=2000")


class Training:
    """`ferflow run` while its second member trains; its stderr is read meanwhile."""

    def __init__(self, workspace: Workspace, store: Path) -> None:
        self._lines: list[str] = []
        arguments = ("run", "--recipe", "tiny.yaml", "--store", str(store), *LONG)
        self.process = workspace.start(*arguments)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        while not any("scratch_cnn: loss" in line for line in self._lines):
            assert self.process.poll() is None, self._lines
            time.sleep(0.1)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.append(line)

    def ended(self) -> tuple[int, str]:
        """Wait for the end: its exit code and its stderr."""
        code = self.process.wait(600)
        self._reader.join(60)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code, "".join(self._lines)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_signal_ends_a_run_soon_and_truthfully(
    tmp_path: Path, number: signal.Signals, code: int, word: str
) -> None:
    workspace, store = Workspace(tmp_path), tmp_path / "store"
    training = Training(workspace, store)
    start_s = time.monotonic()
    training.process.send_signal(number)
    ended, err = training.ended()
    seconds = time.monotonic() - start_s
    print(f"{number.name}: ended after {seconds:.1f} s")
    assert ended == code, err
    assert err.rstrip().endswith(f"{word}; run the same command again to resume")
    assert "Traceback" not in err
    assert seconds < on_this_machine(ENDED_WITHIN_S)
    assert not running_servers(workspace)
    assert set(_states(workspace)) <= {"CANCELLED", "COMPLETED"}
    [record] = records(workspace, store)
    assert record["state"] == "cancelled"
    assert not list((store / "running").rglob("*"))


def test_a_store_deleted_in_mid_training_is_no_reason_for_half_a_result(tmp_path: Path) -> None:
    workspace, store = Workspace(tmp_path), tmp_path / "store"
    training = Training(workspace, store)
    shutil.rmtree(store)
    code, err = training.ended()
    assert code == 2, err
    assert "was removed during the training of scratch_cnn" in err
    assert "run the same command again" in err
    assert "Traceback" not in err
    assert not list(store.glob("models/*"))

    training = Training(workspace, store)  # the same command again
    training.process.send_signal(signal.SIGINT)
    _, err = training.ended()
    assert "scratch_cnn: resumed after epoch" in err


def _states(workspace: Workspace) -> list[str]:
    """The states of all flow runs and unfinished task runs in Prefect's database."""
    database = Path(workspace.environment["PREFECT_HOME"]) / "prefect.db"
    with contextlib.closing(sqlite3.connect(database)) as connection:
        flows = connection.execute("select state_type from flow_run").fetchall()
        tasks = connection.execute(
            "select state_type from task_run where state_type != 'COMPLETED'"
        ).fetchall()
    return [state for (state,) in [*flows, *tasks]]
