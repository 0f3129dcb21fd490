"""After a pause, only the newest of several late scheduled runs is worth running."""

import datetime as dt

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext


def newer_scheduled_run() -> str | None:
    """The name of a later run of the same schedule that is due, too; None if there is none.

    A run that a person started is never replaced.
    """
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None or not run.auto_scheduled:
        return None
    due = FlowRunFilter(
        state=FlowRunFilterState(
            type=FlowRunFilterStateType(any_=[StateType.SCHEDULED, StateType.PENDING])
        ),
        expected_start_time=FlowRunFilterExpectedStartTime(
            after_=run.expected_start_time, before_=dt.datetime.now(tz=dt.UTC)
        ),
    )
    deployment = DeploymentFilter(id=DeploymentFilterId(any_=[run.deployment_id]))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=due, deployment_filter=deployment)
    newer = [other for other in runs if other.auto_scheduled and other.id != run.id]
    return newer[-1].name if newer else None
