"""Clean-up after a killed process: flow runs that stay `Running`.

A run that stays `Running` forever holds its deployment's concurrency slot and can't be retried.
A run carries the tag of its process as a label. The next start of `ferflow run` or `ferflow up`
marks the runs of dead processes as `Crashed`. `ferflow up` also watches the runs it serves by
heartbeats (`deployments.automations.heartbeat`).
"""

from collections.abc import Mapping
from uuid import UUID

from fer_models.processes import PROCESS_LABEL, is_dead


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
            {run.id for run in runs if is_dead(str(run.labels.get(PROCESS_LABEL, "")))}, parents
        )
        for run_id in dead:
            state: State[None] = Crashed(message="The process died; run it again to resume.")
            client.set_flow_run_state(run_id, state, force=True)
    return [run.name for run in runs if run.id in dead]


def _with_subflows(dead: set[UUID], parents: Mapping[UUID, UUID | None]) -> set[UUID]:
    """The dead runs and all runs they called, directly or not; `parents` maps run to caller."""
    children = {run for run, parent in parents.items() if parent in dead} - dead
    return _with_subflows(dead | children, parents) if children else dead
