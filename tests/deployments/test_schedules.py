"""A schedule edited in the UI survives `ferflow up`; missed runs are caught up once."""

import datetime as dt

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.states import Scheduled

from deployments.schedules import catch_up, keep_edits, missed_runs
from deployments.serving import build_deployments
from flows.request import RunRequest

pytestmark = pytest.mark.usefixtures("prefect_server")
_NAME = "retrain/retrain"


def _up(cron: str | None) -> None:
    deployments = build_deployments(RunRequest(), None if cron == "off" else cron or "0 3 * * 1")
    keep_edits(deployments, is_cron_given=cron is not None)
    for deployment in deployments:
        deployment.apply()


def _crons() -> list[str]:
    with get_client(sync_client=True) as client:
        schedules = client.read_deployment_by_name(_NAME).schedules
    return [item.schedule.cron for item in schedules if isinstance(item.schedule, CronSchedule)]


def test_an_edited_schedule_survives_until_the_command_line_gives_another() -> None:
    _up(None)
    assert _crons() == ["0 3 * * 1"]
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(_NAME)
        client.update_deployment_schedule(
            deployment.id, deployment.schedules[0].id, schedule=CronSchedule(cron="5 5 * * 5")
        )
        client.pause_deployment(deployment.id)
    _up(None)
    assert _crons() == ["5 5 * * 5"]
    with get_client(sync_client=True) as client:
        assert client.read_deployment_by_name(_NAME).paused
        client.resume_deployment(deployment.id)
    _up("1 1 * * 1")
    assert _crons() == ["1 1 * * 1"]


def test_several_missed_runs_are_caught_up_by_one() -> None:
    _up(None)
    now = dt.datetime.now(tz=dt.UTC)
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(_NAME)
        late = [
            client.create_flow_run_from_deployment(
                deployment.id, state=Scheduled(scheduled_time=now - dt.timedelta(days=days))
            ).model_copy(update={"auto_scheduled": True})
            for days in (14, 7)
        ]
        assert missed_runs(_NAME) == []  # those above were started by a person
        started = catch_up(_NAME, late)
        assert started is not None
        assert catch_up(_NAME, []) is None
        runs = [run for run in client.read_flow_runs() if run.name == started]
        assert [set(run.tags) for run in runs] == [{"ferflow", "catch-up"}]


def test_nothing_is_caught_up_without_a_schedule_in_force() -> None:
    _up("0 3 * * 1")
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name(_NAME)
        late = [client.create_flow_run_from_deployment(deployment.id)]
        [schedule] = deployment.schedules
        client.update_deployment_schedule(deployment.id, schedule.id, active=False)
        assert catch_up(_NAME, late) is None  # switched off in the UI
        _up("off")
        assert _crons() == []
        assert catch_up(_NAME, late) is None
        _up("0 3 * * 1")
        assert catch_up(_NAME, late) is not None
