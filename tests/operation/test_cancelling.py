"""A cancelled training ends at once, all the way down, and leaves the slot to the next run."""

from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.states import Cancelling

from tests.deployments.processes import Workspace
from tests.operation.served import (
    Up,
    on_this_machine,
    records,
    seconds_until_gone,
    served,
    title,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENDED_WITHIN_S = 10.0
SEARCH = (
    "tuning.enabled=true",
    "tuning.num_trials=2",
    "tuning.max_epochs=2000",
    "tuning.max_train_images=64",
)


def test_cancelling_a_search_ends_it_all_the_way_down(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = tmp_path / "store"
    with served(workspace, "--recipe", "tiny.yaml", "--store", str(store)) as up:
        before = set(up.processes())
        run_id = up.start_run("run-pipeline", overrides=list(SEARCH))
        up.task_is_running(run_id, "tune")
        wait_until(lambda: any(_is_trial(p) for p in up.processes()), 300, "a trial starts")
        started = [process for process in up.processes() if process not in before]
        with up.client() as client:
            client.set_flow_run_state(run_id, Cancelling(message="by the test"))
        seconds = seconds_until_gone(started, 120)
        print(f"the processes of the run ended after {seconds:.1f} s")
        assert up.ended(run_id, 120).is_cancelled()
        assert "Crashed" not in up.states(run_id)  # a notification would be sent
        assert seconds < on_this_machine(ENDED_WITHIN_S)
        _all_below_are_cancelled(up, run_id)
        [record] = records(workspace, store)
        assert record["state"] == "cancelled"
        assert record["flow_run_id"] == str(run_id)

        with up.client() as client:
            limit = client.read_global_concurrency_limit_by_name("ferflow-training")
            assert limit.active_slots == 0
        after = up.start_run("run-pipeline")
        assert up.ended(after).is_completed()


def test_a_cancelled_training_was_never_crashed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    options = ("--recipe", "tiny.yaml", "--store", str(tmp_path / "store"))
    with served(workspace, *options) as up:
        run_id = up.start_run("train-models", overrides=["members.1.training.epochs=2000"])
        up.task_is_running(run_id, "train-scratch_cnn")
        wait_until(lambda: "scratch_cnn: loss" in up.logs(run_id), 300, "an epoch is done")
        with up.client() as client:
            client.set_flow_run_state(run_id, Cancelling(message="by the test"))
        assert up.ended(run_id, 120).is_cancelled()
        assert "Crashed" not in up.states(run_id)  # a notification would be sent


def _all_below_are_cancelled(up: Up, run_id: UUID) -> None:
    def unfinished() -> list[tuple[str, str | None]]:
        flows, tasks = up.below(run_id)
        return [
            (each.name, each.state_name)
            for each in (*flows, *tasks)
            if each.state is None or not (each.state.is_completed() or each.state.is_cancelled())
        ]

    wait_until(lambda: not unfinished(), 15, f"all below are cancelled: {unfinished()}")


def _is_trial(process: psutil.Process) -> bool:
    name = title(process)
    return name.startswith("ray::") and not any(part in name for part in ("IDLE", "Agent"))
