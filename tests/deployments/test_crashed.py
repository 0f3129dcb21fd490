import subprocess
import sys

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import Paused, Running

from deployments.crashed import mark_crashed_runs
from fer_models.processes import PROCESS_LABEL, is_dead, process_tag


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


@pytest.mark.usefixtures("prefect_server")
def test_runs_of_dead_processes_are_marked_together_with_their_subflows() -> None:
    with get_client(sync_client=True) as client:
        dead = _running(client, _tag_of_a_dead_process())
        alive = _running(client, process_tag())
        other = _running(client, "somebody-elses")
        caller = client.create_task_run(call, dead.id, dynamic_key="0")
        child = client.create_flow_run(inner, parent_task_run_id=caller.id, state=Paused())

        assert sorted(mark_crashed_runs()) == sorted([dead.name, child.name])

        def is_crashed(run: FlowRun) -> bool:
            state = client.read_flow_run(run.id).state
            return state is not None and state.is_crashed()

        assert [is_crashed(run) for run in (dead, child, alive, other)] == [
            True,
            True,
            False,
            False,
        ]
        assert mark_crashed_runs() == []
