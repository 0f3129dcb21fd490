import subprocess
import sys
import time
from uuid import uuid4

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun, State, TaskRun
from prefect.states import AwaitingRetry, Completed, Crashed, Failed, Paused, Pending, Running

from deployments.crashed import mark_crashed_runs, marking_crashed_runs
from fer_models.processes import PROCESS_LABEL, is_dead, process_tag
from flows.entry.started import ATTEMPT_LABEL


@flow
def outer() -> None: ...


@flow
def inner() -> None: ...


@task
def call() -> None: ...


def _tag_of_a_dead_process() -> str:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    host = process_tag().split(":")[1]
    return f"process:{host}:{process.pid}:1"


def test_only_an_ended_process_of_this_host_is_dead() -> None:
    alive = process_tag()
    dead = _tag_of_a_dead_process()
    assert not is_dead(alive)
    assert is_dead(dead)
    assert not is_dead(dead.replace(alive.split(":")[1], "another-host"))
    assert not is_dead("ferflow")


def _running(client: SyncPrefectClient, process: str) -> FlowRun:
    run = client.create_flow_run(outer, state=Running())
    client.update_flow_run_labels(run.id, {PROCESS_LABEL: process})
    return run


def _task(client: SyncPrefectClient, run: FlowRun, state: State[None] | None = None) -> TaskRun:
    return client.create_task_run(call, run.id, dynamic_key=str(uuid4()), state=state)


@pytest.mark.usefixtures("prefect_server")
def test_runs_of_dead_processes_are_marked_together_with_all_below() -> None:
    with get_client(sync_client=True) as client:
        dead = _running(client, _tag_of_a_dead_process())
        alive = _running(client, process_tag())
        other = _running(client, "somebody-elses")
        caller = _task(client, dead, Running())
        child = client.create_flow_run(inner, parent_task_run_id=caller.id, state=Paused())
        ended = _task(client, dead, Completed())
        open_tasks = [_task(client, run, Running()) for run in (child, alive, other)]

        assert sorted(mark_crashed_runs()) == sorted([dead.name, child.name])

        def names(kind: str, *runs: FlowRun | TaskRun) -> list[str | None]:
            read = getattr(client, f"read_{kind}_run")
            return [read(run.id).state_name for run in runs]

        expected = ["Crashed", "Crashed", "Running", "Running"]
        assert names("flow", dead, child, alive, other) == expected
        assert names("task", caller, ended) == ["Crashed", "Completed"]
        assert names("task", *open_tasks) == ["Crashed", "Running", "Running"]
        assert mark_crashed_runs() == []


@pytest.mark.usefixtures("prefect_server")
def test_what_is_below_a_run_that_its_heartbeats_marked_is_marked() -> None:
    with get_client(sync_client=True) as client:
        run = _running(client, _tag_of_a_dead_process())
        caller = _task(client, run, Running())
        child = client.create_flow_run(inner, parent_task_run_id=caller.id, state=Running())
        client.set_flow_run_state(run.id, Crashed(), force=True)
        assert mark_crashed_runs() == [child.name]
        assert client.read_task_run(caller.id).state_name == "Crashed"


@pytest.mark.usefixtures("prefect_server")
def test_a_retried_run_is_not_marked_before_its_new_process_has_died() -> None:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(outer, state=Running())

        def _noted_as_dead() -> None:
            state = client.read_flow_run(run.id).state
            assert state is not None
            labels = {PROCESS_LABEL: _tag_of_a_dead_process(), ATTEMPT_LABEL: str(state.id)}
            client.update_flow_run_labels(run.id, labels)

        _noted_as_dead()
        client.set_flow_run_state(run.id, Failed(), force=True)
        retry: list[State[None]] = [AwaitingRetry(), Pending(), Running(), Running(name="Waiting")]
        for state in retry:
            client.set_flow_run_state(run.id, state, force=True)
            assert mark_crashed_runs() == []
        _noted_as_dead()
        assert mark_crashed_runs() == [run.name]


@pytest.mark.usefixtures("prefect_server")
def test_a_process_that_dies_later_is_noticed_too() -> None:
    with get_client(sync_client=True) as client, marking_crashed_runs(poll_s=0.05):
        dead = _running(client, _tag_of_a_dead_process())
        until_s = time.monotonic() + 60
        while (state := client.read_flow_run(dead.id).state) is None or not state.is_crashed():
            assert time.monotonic() < until_s, state
            time.sleep(0.05)
