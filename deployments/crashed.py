"""Clean-up after a killed process: flow runs that stay `Running`, and orphaned Prefect servers.

A run that stays `Running` forever holds its deployment's concurrency slot and can't be retried.
Runs started by `ferflow run` or served by `ferflow up` carry a tag of their process. The next start
of either command marks the runs of dead processes as `Crashed`. The temporary server of a killed
process has the tag in its environment and is terminated. `ferflow up` also watches the runs it
serves by heartbeats (`deployments.automations.heartbeat`).
"""

import contextlib
import os
from collections.abc import Mapping
from uuid import UUID

import psutil

from fer_models.processes import is_dead, process_tag

_VARIABLE = "FERFLOW_PROCESS"


def tag_child_processes() -> None:
    """Put the tag of this process into the environment of the processes it starts."""
    os.environ[_VARIABLE] = process_tag()


def terminate_orphaned_servers() -> list[int]:
    """Terminate the temporary Prefect servers of dead `ferflow` processes; return their PIDs."""
    terminated = []
    for process in psutil.process_iter():
        # Processes of other users can't be inspected, and any process may end meanwhile.
        with contextlib.suppress(psutil.Error):
            is_server = any("prefect.server.api.server" in part for part in process.cmdline())
            if is_server and is_dead(process.environ().get(_VARIABLE, "")):
                process.terminate()
                terminated.append(process.pid)
    return terminated


def mark_crashed_runs() -> list[str]:
    """Mark unfinished flow runs of dead processes on this host as crashed; return their names."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed

    # A paused run waits for a review inside its process.
    unfinished = [StateType.RUNNING, StateType.PENDING, StateType.PAUSED]
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=unfinished)))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=running)
        parents = {
            run.id: client.read_task_run(run.parent_task_run_id).flow_run_id
            for run in runs
            if run.parent_task_run_id is not None
        }
        dead = _with_subflows(
            {run.id for run in runs if any(is_dead(tag) for tag in run.tags)}, parents
        )
        for run_id in dead:
            state: State[None] = Crashed(message="The process died; run it again to resume.")
            client.set_flow_run_state(run_id, state, force=True)
    return [run.name for run in runs if run.id in dead]


def _with_subflows(dead: set[UUID], parents: Mapping[UUID, UUID | None]) -> set[UUID]:
    """The dead runs and all runs they called, directly or not; `parents` maps run to caller."""
    children = {run for run, parent in parents.items() if parent in dead} - dead
    return _with_subflows(dead | children, parents) if children else dead
