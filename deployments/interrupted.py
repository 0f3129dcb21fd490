"""Ctrl-C or SIGTERM to `ferflow run`: its runs end as `Cancelled`, and its server without delay."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from fer_models.processes import PROCESS_LABEL, process_tag
from fer_models.signals import interruption_behind

if TYPE_CHECKING:
    from deployments.server.process import ServerProcess


@contextmanager
def ending_as_cancelled(server: "ServerProcess | None") -> Iterator[None]:
    """Let the runs of this process end as `Cancelled` if the block is interrupted.

    Prefect ends them as `Crashed`, which is how those of a killed process end.

    Args:
        server: started by this process; after an interruption it gets little time to end.
    """
    try:
        yield
    except BaseException as error:
        interruption = interruption_behind(error)
        if interruption is None:
            raise
        if server is not None:
            server.hurry()
        _cancel_runs_of_this_process()
        raise interruption from None


def _cancel_runs_of_this_process() -> None:
    """Mark its unfinished and crashed runs; a server that does not answer is no reason to wait."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import State, StateType
    from prefect.client.schemas.sorting import FlowRunSort
    from prefect.exceptions import PrefectException
    from prefect.states import Cancelled

    from flows.entry.cancelled import cancel_below
    from flows.run_pipeline import run_pipeline

    kinds = [StateType.RUNNING, StateType.PENDING, StateType.PAUSED, StateType.CRASHED]
    chosen = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds)))
    state: State[None] = Cancelled(message="The command was interrupted.")
    tag = process_tag()
    with suppress(httpx.HTTPError, PrefectException), get_client(sync_client=True) as client:
        newest = FlowRunSort.START_TIME_DESC
        for run in client.read_flow_runs(flow_run_filter=chosen, sort=newest):
            if run.labels.get(PROCESS_LABEL) == tag:
                client.set_flow_run_state(run.id, state, force=True)
                cancel_below(run_pipeline, run, state)
