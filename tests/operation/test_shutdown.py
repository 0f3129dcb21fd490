"""What becomes of a run that trains, and of its server, when `ferflow up` is stopped or killed."""

import signal
import time
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from fer_models.training.engine.fit import epochs_done
from tests.deployments.processes import Workspace
from tests.operation.served import (
    Up,
    does_not_answer,
    seconds_until_gone,
    served,
    title,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

STOPPED_WITHIN_S = 60.0
# Long enough to be stopped in the middle.
LONG = ["members.1.training.epochs=2000"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_up_leaves_a_true_state_and_the_next_one_resumes(
    tmp_path: Path, number: signal.Signals
) -> None:
    workspace = Workspace(tmp_path)
    store = tmp_path / "store"
    options = ("--recipe", "tiny.yaml", "--store", str(store))
    with served(workspace, *options) as up:
        run_id = _training(up)
        processes = up.processes()
        start_s = time.monotonic()
        assert up.stop(number, STOPPED_WITHIN_S) == 0
        seconds = time.monotonic() - start_s
        print(f"{number.name}: ferflow up ended after {seconds:.1f} s")
        seconds_until_gone(processes, 5)
        assert does_not_answer(up.facts["api"])
        assert "Error logging to API" not in up.log.read_text()

    with served(workspace, *options) as up:
        assert up.facts["schedule"] == "0 3 * * 1"
        state = up.run(run_id).state
        assert state is not None
        assert state.is_cancelled() or state.is_crashed(), state
        flows, tasks = up.below(run_id)
        left = [each.name for each in (*flows, *tasks) if each.state and not each.state.is_final()]
        assert not left
        again = up.start_run("run-pipeline", overrides=LONG)
        _goes_on(workspace, up, again)


def test_after_a_kill_the_server_and_the_run_end_and_the_run_is_marked_crashed(
    tmp_path: Path,
) -> None:
    workspace = Workspace(tmp_path)
    options = ("--recipe", "tiny.yaml", "--store", str(tmp_path / "store"))
    with served(workspace, *options) as up:
        run_id = _training(up)
        processes = up.processes()
        up.process.kill()
        up.process.wait()
        seconds = seconds_until_gone(processes, 60)
        print(f"kill -9: all processes ended after {seconds:.1f} s")
    with served(workspace, *options) as up:
        assert up.states(run_id)[-1] == "Crashed"
        _, tasks = up.below(run_id)
        assert not [each.name for each in tasks if each.state and not each.state.is_final()]
        again = up.start_run("run-pipeline", overrides=LONG)
        _goes_on(workspace, up, again)


def test_a_killed_server_is_started_again_and_the_run_goes_on(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with served(workspace, "--recipe", "tiny.yaml", "--store", str(tmp_path / "store")) as up:
        run_id = up.start_run("run-pipeline")
        up.task_is_running(run_id, "train-")
        _server_of(up).kill()
        wait_until(lambda: not does_not_answer(up.facts["api"]), 120, "the server is back")
        state = up.ended(run_id)
        assert state.is_completed(), (state, up.log.read_text()[-3000:])
        assert "the Prefect server ended (SIGKILL); starting it again" in up.log.read_text()


def test_up_ends_on_ctrl_c_while_its_server_is_gone(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with served(workspace, "--recipe", "tiny.yaml", "--store", str(tmp_path / "store")) as up:
        _training(up)
        processes = up.processes()
        _server_of(up).kill()
        assert up.stop(signal.SIGINT, STOPPED_WITHIN_S) in (0, 1)
        seconds_until_gone(processes, 15)


def _server_of(up: Up) -> psutil.Process:
    [server] = [one for one in up.processes() if "deployments.server.app" in title(one)]
    return server


def _goes_on(workspace: Workspace, up: Up, run_id: UUID) -> None:
    """Wait for the next epoch; one that starts anew would write a checkpoint of epoch 1 first."""
    before = _epochs(workspace)
    assert before > 1

    def is_beyond() -> bool:
        state = up.run(run_id).state
        assert state is not None
        assert not state.is_final(), state
        now = _epochs(workspace)
        assert now >= before, "the training started anew"
        return now > before

    wait_until(is_beyond, 600, "the training resumes")


def _epochs(workspace: Workspace) -> int:
    """Epochs in the checkpoint of the longest training."""
    cache = Path(workspace.environment["XDG_CACHE_HOME"])
    return max((epochs_done(path) for path in cache.rglob("last.ckpt")), default=0)


def _training(up: Up) -> UUID:
    """Start a run and wait until its second member has trained for some epochs."""
    run_id = up.start_run("run-pipeline", overrides=LONG)
    up.task_is_running(run_id, "train-scratch_cnn")
    wait_until(lambda: "scratch_cnn: loss" in up.logs(run_id), 300, "an epoch is done")
    return run_id
