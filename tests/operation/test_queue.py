"""Many runs at once: all finish, none twice, and trainings take turns."""

from collections import Counter
from pathlib import Path

import pytest

from tests.deployments.processes import Workspace
from tests.operation.served import records, served

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

NUM_RUNS = 20
WAITING = "Waiting for another training"
# Longer than the difference of the two starts.
LONG = ("members.0.training.epochs=150",)


def test_twenty_queued_runs_finish_once_each(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = tmp_path / "store"
    with served(workspace, "--recipe", "tiny.yaml", "--store", str(store), "--limit", "2") as up:
        names = ("prepare-data", "train-models")
        runs = [up.start_run(names[number % 2]) for number in range(NUM_RUNS)]
        ended = [up.ended(run_id, 2400) for run_id in runs]
        assert all(state.is_completed() for state in ended), [str(state) for state in ended]
        for run_id in runs:
            final = [
                name for name in up.states(run_id) if name in ("Completed", "Failed", "Crashed")
            ]
            assert final == ["Completed"]
            assert up.states(run_id).count("Running") >= 1
    recorded = Counter(run["flow_run_id"] for run in records(workspace, store))
    assert recorded == dict.fromkeys(map(str, runs), 1)


def test_two_deployments_never_train_at_the_same_time(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    store = tmp_path / "store"
    with served(workspace, "--recipe", "tiny.yaml", "--store", str(store), "--limit", "2") as up:
        prepared = up.start_run("prepare-data")  # so that both begin with the training
        assert up.ended(prepared).is_completed()
        runs = [
            up.start_run("run-pipeline", overrides=[*LONG, "seed=1"]),
            up.start_run("retrain", overrides=[*LONG, "seed=2"], force=True),
        ]
        assert all(up.ended(run_id).is_completed() for run_id in runs)
        waited = [run_id for run_id in runs if WAITING in up.states(run_id)]
        assert len(waited) == 1
        [other] = set(runs) - set(waited)
        with up.client() as client:
            history = client.read_flow_run_states(waited[0])
        called, _ = up.below(other)
        ends = [flow.end_time for flow in called if flow.end_time is not None]
        waiting = next(state.timestamp for state in history if state.name == WAITING)
        going_on = min(
            state.timestamp for state in history if state.is_running() and state.timestamp > waiting
        )
        # The slot is kept until the last called flow has promoted.
        assert len(ends) == len(called) == 3
        assert going_on >= max(ends)
