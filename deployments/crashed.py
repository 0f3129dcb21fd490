"""What a killed process leaves behind: flow runs that stay `Running`, and its Prefect server.

A run that stays `Running` for ever holds its deployment's concurrency slot and can't be retried.
Runs started by `ferflow run` or served by `ferflow up` carry a tag that names that process; when
either starts again, the ones whose process is gone are marked `Crashed`. The temporary server of a
killed process inherited the tag in its environment, and is ended. While `ferflow up` lives, the
runs it serves are watched by heartbeats, too (`deployments.heartbeat`).
"""

import contextlib
import os
from collections.abc import Mapping
from uuid import UUID

import psutil

from fer_models.processes import is_dead, process_tag

_VARIABLE = "FERFLOW_PROCESS"


def mark_children() -> None:
    """Let the processes that this one starts carry its tag."""
    os.environ[_VARIABLE] = process_tag()


def end_orphaned_servers() -> list[int]:
    """End the temporary Prefect servers of dead `ferflow` processes; their process numbers."""
    ended = []
    for process in psutil.process_iter():
        # Other users' processes can't be looked into, and any may end meanwhile.
        with contextlib.suppress(psutil.Error):
            is_server = any("prefect.server.api.server" in part for part in process.cmdline())
            if is_server and is_dead(process.environ().get(_VARIABLE, "")):
                process.terminate()
                ended.append(process.pid)
    return ended


def sweep_crashed_runs() -> list[str]:
    """Mark the running flow runs of dead processes of this host as crashed; their names."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed

    # Paused runs wait inside a living process for a person's review.
    unfinished = [StateType.RUNNING, StateType.PENDING, StateType.PAUSED]
    running = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=unfinished)))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=running)
        parents = {
            run.id: client.read_task_run(run.parent_task_run_id).flow_run_id
            for run in runs
            if run.parent_task_run_id is not None
        }
        dead = _with_children(
            {run.id for run in runs if any(is_dead(tag) for tag in run.tags)}, parents
        )
        for run_id in dead:
            state: State[None] = Crashed(message="Its process is gone; run it again to go on.")
            client.set_flow_run_state(run_id, state, force=True)
    return [run.name for run in runs if run.id in dead]


def _with_children(dead: set[UUID], parents: Mapping[UUID, UUID | None]) -> set[UUID]:
    """The dead runs and all that they called, directly or not; `parents` maps run to caller."""
    children = {run for run, parent in parents.items() if parent in dead} - dead
    return _with_children(dead | children, parents) if children else dead
