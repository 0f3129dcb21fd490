"""A slot of the global concurrency limit `ferflow-training` on a Prefect server.

The server grants a slot for `LEASE_S` seconds, and the holder renews it. Prefect's own
`concurrency` keeps a slot for five minutes after its holder was killed, does not say which lease it
has, and frees a slot that was entered in a task when that task ends.
"""

import contextlib
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import UUID

from fer_models.processes import is_dead, process_tag

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import FlowRunFilter

LIMIT_NAME = "ferflow-training"
LEASE_S = 60.0
"""Prefect's minimum."""
LEASE_LABEL = "ferflow.training-slot"
"""Label of a flow run: its lease, and the process that renews it."""
_RENEW_S = 15.0
_LOCKED, _GONE = 423, 410
_NUM_RECENT_RUNS = 50


@contextmanager
def leased_slot() -> Iterator[bool]:
    """Hold a slot during the block; False if there is none now."""
    lease_id = _granted()
    if lease_id is None:
        yield False
        return
    end = threading.Event()
    # A copy: Prefect's settings belong to the context.
    context = contextvars.copy_context()
    renewal = threading.Thread(
        target=context.run, args=(_renew, lease_id, end), name="training-slot", daemon=True
    )
    renewal.start()
    try:
        _note_on_flow_run(lease_id)
        yield True
    finally:
        end.set()
        renewal.join()


def release_slots_of_killed_runs() -> None:
    """Free the slots of runs whose process on this machine is dead.

    What was killed on another machine, or is on no record, keeps its slot until the lease ends.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    with get_client(sync_client=True) as client:
        recent = client.read_flow_runs(
            flow_run_filter=_begun_and_not_completed(),
            sort=FlowRunSort.START_TIME_DESC,
            limit=_NUM_RECENT_RUNS,
        )
        for run in recent:
            lease_id, _, process = str(run.labels.get(LEASE_LABEL, "")).partition(" ")
            if lease_id and is_dead(process):
                client.release_concurrency_slots_with_lease(UUID(lease_id))
                client.update_flow_run_labels(run.id, {LEASE_LABEL: ""})


def _granted() -> UUID | None:
    """The lease of a slot, or None; the limit is created if it does not exist."""
    import httpx
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        _create_limit(client)
        try:
            answer = client.increment_concurrency_slots_with_lease(
                [LIMIT_NAME], slots=1, mode="concurrency", lease_duration=LEASE_S
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code == _LOCKED:
                return None
            raise
    return UUID(answer.json()["lease_id"])


def _create_limit(client: "SyncPrefectClient") -> None:
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    try:
        client.read_global_concurrency_limit_by_name(LIMIT_NAME)
    except ObjectNotFound:
        with contextlib.suppress(ObjectAlreadyExists):  # another run was faster
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=LIMIT_NAME, limit=1)
            )


def _renew(lease_id: UUID, end: threading.Event) -> None:
    """Renew a lease until the event, then give it back.

    A server that does not answer is asked again: the training goes on without it. A lease that
    ended meanwhile, such as while the machine slept, is replaced if a slot is free.
    """
    import httpx
    from prefect.client.orchestration import get_client

    while not end.wait(_RENEW_S):
        with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            try:
                client.renew_concurrency_lease(lease_id, LEASE_S)
            except httpx.HTTPStatusError as error:
                if error.response.status_code != _GONE:
                    raise
                lease_id = _granted() or lease_id
                _note_on_flow_run(lease_id)
    with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
        client.release_concurrency_slots_with_lease(lease_id)


def _note_on_flow_run(lease_id: UUID) -> None:
    """Let others free the slot if this process is killed."""
    from prefect.client.orchestration import get_client
    from prefect.runtime import flow_run

    if flow_run.id:
        with get_client(sync_client=True) as client:
            label = f"{lease_id} {process_tag()}"
            client.update_flow_run_labels(UUID(flow_run.id), {LEASE_LABEL: label})


def _begun_and_not_completed() -> "FlowRunFilter":
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    # Those of a schedule come first in the order of start times, and can be a hundred.
    left_out = (StateType.COMPLETED, StateType.SCHEDULED)
    kinds = [kind for kind in StateType if kind not in left_out]
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=kinds)))
