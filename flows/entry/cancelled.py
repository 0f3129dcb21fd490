"""A cancelled run leaves no child behind: what it called ends as `Cancelled`, too."""

import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    TaskRunFilter,
    TaskRunFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Cancelled

from fer_models.ray_orphans import sweep_orphans

_MESSAGE = "The run was cancelled."


def cancel_below(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Mark what a cancelled run has called as cancelled; for `flow(on_cancellation=[...])`.

    Prefect calls it where the run was started from, after its process has ended. The signal that
    ended the process lets the tasks that ran end as `Crashed`, or as `Running` if it was killed.
    A process that was killed may also have left processes of Ray; they are ended.
    """
    del flow, state
    sweep_orphans(Path(tempfile.gettempdir()))
    with get_client(sync_client=True) as client:
        called = _called_by(client, flow_run.id)
        for child in called:
            if _is_open(child.state):
                client.set_flow_run_state(child.id, _cancelled(), force=True)
        chosen = TaskRunFilterFlowRunId(any_=[flow_run.id, *(child.id for child in called)])
        for task in client.read_task_runs(task_run_filter=TaskRunFilter(flow_run_id=chosen)):
            if _is_open(task.state):
                client.set_task_run_state(task.id, _cancelled(), force=True)


def _called_by(client: SyncPrefectClient, run_id: UUID) -> list[FlowRun]:
    """All flow runs that a run has called, directly or not."""
    found: list[FlowRun] = []
    parents = [run_id]
    while parents:
        of_these = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=parents))
        children = client.read_flow_runs(flow_run_filter=of_these)
        found += children
        parents = [child.id for child in children]
    return found


def _is_open(state: State[Any] | None) -> bool:
    """Whether work was interrupted; what has completed or failed before stays as it is."""
    return state is None or not state.is_final() or state.is_crashed()


def _cancelled() -> State[None]:
    return Cancelled(message=_MESSAGE)
