"""Clean-up after a killed process: flow runs and task runs that stay `Running`.

A run that stays `Running` forever holds its deployment's concurrency slot and can't be retried.
A run carries the tag of its process as a label; a label of an earlier attempt does not count. The
next start of `ferflow run` or `ferflow up` marks the runs of dead processes as `Crashed`, and
`ferflow up` looks again all the time: a process may outlive the `ferflow up` that started it by
some seconds. Heartbeats (`deployments.automations.heartbeat`) also find dead processes of other
machines, but only after minutes.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import dropwhile
from typing import TYPE_CHECKING
from uuid import UUID

from deployments.background import in_background
from fer_models.processes import PROCESS_LABEL, is_dead

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

_MESSAGE = "The process died; run it again to resume."
_POLL_S = 10.0


@contextmanager
def marking_crashed_runs(poll_s: float = _POLL_S) -> Iterator[None]:
    """While the block runs, mark the runs of processes that died, every `poll_s` seconds."""
    with in_background("crashed", lambda stop: _mark_again(poll_s, stop)):
        yield


def _mark_again(poll_s: float, stop: threading.Event) -> None:
    import httpx
    from prefect.exceptions import PrefectException

    while not stop.wait(poll_s):
        # The server may be starting again; a run may be deleted meanwhile.
        with suppress(httpx.HTTPError, PrefectException):
            mark_crashed_runs()


def mark_crashed_runs() -> list[str]:
    """Mark unfinished flow runs of dead processes on this host as crashed; return their names.

    Task runs are marked, too, also those of a flow run that was marked before, by its heartbeats.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
        TaskRunFilter,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Crashed

    # A paused run waits for a review inside its process.
    unfinished = [StateType.RUNNING, StateType.PENDING, StateType.PAUSED]
    flows = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=unfinished)))
    tasks = TaskRunFilter(state=TaskRunFilterState(type=TaskRunFilterStateType(any_=unfinished)))
    state: State[None] = Crashed(message=_MESSAGE)
    with get_client(sync_client=True) as client:
        processes = _Processes(client)
        runs = client.read_flow_runs(flow_run_filter=flows)
        open_tasks = client.read_task_runs(task_run_filter=tasks)
        dead = [run for run in runs if processes.is_dead(run)]
        for run in dead:
            client.set_flow_run_state(run.id, state, force=True)
        for task in open_tasks:
            if task.flow_run_id is not None and processes.is_dead_by_id(task.flow_run_id):
                client.set_task_run_state(task.id, state, force=True)
    return [run.name for run in dead]


class _Processes:
    """Whether the process of a run is dead; what a run called, directly or not, is in the same."""

    def __init__(self, client: "SyncPrefectClient") -> None:
        self._client = client
        self._known: dict[UUID, bool] = {}

    def is_dead(self, run: "FlowRun") -> bool:
        if run.id not in self._known:
            self._known[run.id] = self._find(run)
        return self._known[run.id]

    def is_dead_by_id(self, run_id: UUID) -> bool:
        if run_id not in self._known:
            self._known[run_id] = self._find(self._client.read_flow_run(run_id))
        return self._known[run_id]

    def _find(self, run: "FlowRun") -> bool:
        label = str(run.labels.get(PROCESS_LABEL, ""))
        if label or run.parent_task_run_id is None:
            return is_dead(label) and not self._is_retried(run)
        caller = self._client.read_task_run(run.parent_task_run_id).flow_run_id
        return caller is not None and self.is_dead_by_id(caller)

    def _is_retried(self, run: "FlowRun") -> bool:
        """Whether the run was started again after its process had been noted."""
        from flows.entry.started import ATTEMPT_LABEL

        noted = str(run.labels.get(ATTEMPT_LABEL, ""))
        states = self._client.read_flow_run_states(run.id)  # the oldest first
        since = dropwhile(lambda state: str(state.id) != noted, states)
        return any(state.is_pending() or state.is_scheduled() for state in since)
