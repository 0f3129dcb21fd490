"""What a cancelled run has called ends as cancelled, too."""

from uuid import UUID

import pytest
from prefect import flow, task
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State
from prefect.states import Cancelling, Completed, Crashed, Failed, Running

from flows.entry.cancelled import cancel_below
from flows.retrain import retrain

pytestmark = pytest.mark.usefixtures("prefect_server")


@flow
def outer() -> None: ...


@flow
def inner() -> None: ...


@task
def step() -> None: ...


def _called(client: SyncPrefectClient, caller: UUID, state: State[None]) -> UUID:
    call = client.create_task_run(step, caller, dynamic_key=str(caller), state=Running())
    return client.create_flow_run(inner, parent_task_run_id=call.id, state=state).id


def test_interrupted_children_of_any_depth_are_cancelled_and_others_kept() -> None:
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(outer, state=Cancelling())
        child = _called(client, run.id, Running())
        grandchild = _called(client, child, Crashed())
        states = {"a": Running(), "b": Crashed(), "c": Completed(), "d": Failed()}
        tasks = {
            key: client.create_task_run(step, grandchild, dynamic_key=key, state=state).id
            for key, state in states.items()
        }
        other = client.create_flow_run(outer, state=Running())

        cancel_below(outer, run, Cancelling())

        flows = [client.read_flow_run(each).state_name for each in (child, grandchild, other.id)]
        assert flows == ["Cancelled", "Cancelled", "Running"]
        ended = [client.read_task_run(task_id).state_name for task_id in tasks.values()]
        assert ended == ["Cancelled", "Cancelled", "Completed", "Failed"]


def test_deployed_flows_do_this_when_they_are_cancelled() -> None:
    assert cancel_below in (retrain.on_cancellation_hooks or [])
