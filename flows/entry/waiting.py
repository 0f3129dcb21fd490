"""Show in Prefect that a run waits until another one has trained."""

from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Running

from flows.entry.states import WAITING_STATE
from tasks.slot.lease import LIMIT_NAME
from tasks.slot.training_slot import Waiting


class WaitingState(Waiting):
    """While another run trains, the flow run's state says so."""

    def __enter__(self) -> None:
        """Set the state."""
        reason = (
            "Another run is training, and only one may at a time; this one continues after it "
            f"(global concurrency limit {LIMIT_NAME})."
        )
        get_run_logger().info(reason)
        _set(Running(name=WAITING_STATE, message=reason))

    def __exit__(self, *_: object) -> None:
        """The run continues."""
        _set(Running())


def _set(state: State[None]) -> None:
    """Set the state of the flow that trains, and of the run that people look at."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    root = flow_run.root_flow_run_id
    with get_client(sync_client=True) as client:
        for run_id in {context.flow_run.id, UUID(str(root)) if root else context.flow_run.id}:
            client.set_flow_run_state(run_id, state, force=True)
