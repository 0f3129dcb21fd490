"""A cancelled run: what it had called is cancelled, too, not crashed."""

from collections.abc import Iterator
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelled

_CANCELLED = (StateType.CANCELLING, StateType.CANCELLED)
_OPEN = (StateType.RUNNING, StateType.PENDING, StateType.SCHEDULED, StateType.CRASHED)
_MESSAGE = "The run that called it was cancelled."


def cancel_what_was_called(run: FlowRun | None) -> bool:
    """Mark the subflows and task runs of a run that is being cancelled as cancelled.

    Prefect ends the process of a cancelled run by a signal, and marks only the run itself; what it
    had called is left as crashed, which looks like a failure.

    Args:
        run: the run that a signal is ending; None without Prefect.

    Returns:
        Whether the run is being cancelled.
    """
    if run is None:
        return False
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run.id).state
        if state is None or state.type not in _CANCELLED:
            return False
        for flow_run_id in (run.id, *_subflows(client, run.id)):
            _cancel_tasks(client, flow_run_id)
    return True


def _subflows(client: SyncPrefectClient, run_id: UUID) -> Iterator[UUID]:
    """The subflows at any depth; those without a result are marked as cancelled."""
    parent = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id]))
    for one in client.read_flow_runs(flow_run_filter=parent):
        if _is_open(one.state):
            client.set_flow_run_state(one.id, Cancelled(message=_MESSAGE), force=True)
        yield one.id
        yield from _subflows(client, one.id)


def _cancel_tasks(client: SyncPrefectClient, flow_run_id: UUID) -> None:
    own = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    for one in client.read_task_runs(flow_run_filter=own):
        if _is_open(one.state):
            client.set_task_run_state(one.id, Cancelled(message=_MESSAGE), force=True)


def _is_open(state: "State[object] | None") -> bool:
    return state is None or state.type in _OPEN
