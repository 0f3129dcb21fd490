"""Schedules that outlive `ferflow up`: UI edits are kept, and missed runs are caught up once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.deployments.runner import RunnerDeployment

CATCH_UP_TAG = "catch-up"


def keep_edits(deployments: Sequence["RunnerDeployment"], *, is_cron_given: bool) -> None:
    """Let deployments that exist on the server keep their schedules, and stay paused.

    Args:
        deployments: about to be registered; changed in place.
        is_cron_given: whether the schedule was given on the command line and replaces the old one.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        for deployment in deployments:
            existing = _existing(client, deployment.full_name)
            if existing is None:
                continue
            deployment.paused = existing.paused
            if not is_cron_given:
                # What is not set is not sent: the server's schedules stay as they are.
                deployment.schedules = None
                deployment.model_fields_set.discard("schedules")


def missed_runs(full_name: str) -> list["FlowRun"]:
    """The scheduled runs of a deployment that are due and have not started, newest first."""
    from prefect.client.orchestration import get_client

    from flows.entry.late import due_scheduled_runs

    with get_client(sync_client=True) as client:
        existing = _existing(client, full_name)
    return due_scheduled_runs(existing.id) if existing else []


def catch_up(full_name: str, missed: Sequence["FlowRun"]) -> str | None:
    """Start one run for all missed ones, unless one of them is still waiting to start.

    A deployment that is paused, or has no active schedule any more, is left alone.

    Args:
        full_name: `flow/deployment`.
        missed: what `missed_runs` returned before the deployment was registered again, which
            removes scheduled runs.

    Returns:
        The name of the started run, if one was started.
    """
    from prefect.client.orchestration import get_client

    if not missed or missed_runs(full_name):
        return None
    with get_client(sync_client=True) as client:
        existing = _existing(client, full_name)
        if existing is None or existing.paused or not any(s.active for s in existing.schedules):
            return None
        run = client.create_flow_run_from_deployment(existing.id, tags=[CATCH_UP_TAG])
    return run.name


def _existing(client: "SyncPrefectClient", full_name: str) -> "DeploymentResponse | None":
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(full_name)
    except ObjectNotFound:
        return None
