"""After a pause, only the newest of several late scheduled runs is worth running."""

import datetime as dt
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort


def due_scheduled_runs(
    deployment_id: UUID, after: dt.datetime | None = None, *, only_automatic: bool = True
) -> list[FlowRun]:
    """The runs of a deployment that are due but have not begun, newest first.

    Args:
        deployment_id: the deployment.
        after: only runs that were expected after this time.
        only_automatic: whether runs that a person started are left out.
    """
    due = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
        ),
        expected_start_time=FlowRunFilterExpectedStartTime(
            after_=after, before_=dt.datetime.now(tz=dt.UTC)
        ),
    )
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_run_filter=due,
            deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        )
    return [run for run in runs if run.auto_scheduled or not only_automatic]


def newer_scheduled_run(run: FlowRun | None, *, only_automatic: bool = True) -> str | None:
    """The name of the newest later run of the same schedule that is due, too; None without one.

    Args:
        run: the run that is about to work; None without Prefect.
        only_automatic: whether runs that a person started are left out, which never replace one.
    """
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None
    due = due_scheduled_runs(
        run.deployment_id, run.expected_start_time, only_automatic=only_automatic
    )
    newer = [other.name for other in due if other.id != run.id]
    return newer[0] if newer else None
