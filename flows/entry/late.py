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
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort


def newer_scheduled_run(run: FlowRun | None, *, only_automatic: bool = True) -> str | None:
    """The name of the newest later run of the same schedule that is due, too; None without one.

    Args:
        run: the run that is about to work; None without Prefect.
        only_automatic: whether runs that a person started are left out, which never replace one.
    """
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
        runs = client.read_flow_runs(
            flow_run_filter=due,
            deployment_filter=deployment,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        )
    newer = [
        other.name
        for other in runs
        if other.id != run.id and (other.auto_scheduled or not only_automatic)
    ]
    return newer[0] if newer else None
