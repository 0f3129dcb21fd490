"""Retraining as an operator sees it: it trains for a reason, and says why when there is none."""

from pathlib import Path

import pytest
from prefect.client.schemas.schedules import CronSchedule

from tests.deployments.processes import Workspace
from tests.operation.served import on_this_machine, records, served, wait_until, write_faces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

IDLE_WITHIN_S = 15.0
CRITERIA = ("champion is", "sha256", "added", "days old", "drift", "forced")
TRAINED = ("Promoted", "Not promoted")
EDITED = "5 5 * * 5"


def test_three_retrains_train_only_for_a_reason_and_survive_a_restart(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    faces, store = tmp_path / "faces", tmp_path / "store"
    write_faces(faces, per_class=20, seed=1)
    options = ("--recipe", "tiny.yaml", "--data", str(faces), "--store", str(store))
    watch = {"FERFLOW_WATCH_POLL_S": "1"}

    with served(workspace, *options, environment=watch) as up:
        first = up.ended(up.start_run("retrain"))
        assert first.name in TRAINED, first.message
        with up.client() as client:
            deployment = client.read_deployment_by_name("retrain/retrain")
            client.update_deployment_schedule(
                deployment.id, deployment.schedules[0].id, schedule=CronSchedule(cron=EDITED)
            )
        assert up.stop() == 0

    with served(workspace, *options, environment=watch) as up:
        assert up.facts["schedule"] == EDITED
        run_id = up.start_run("retrain")
        second = up.ended(run_id)
        assert second.name == "Nothing to do", second.message
        run = up.run(run_id)
        assert run.created is not None
        seconds = (second.timestamp - run.created).total_seconds()
        print(f"nothing to do after {seconds:.1f} s: {second.message}")
        missing = [word for word in CRITERIA if word not in str(second.message)]
        assert not missing, second.message
        assert seconds < on_this_machine(IDLE_WITHIN_S)

        write_faces(faces, per_class=4, seed=2, prefix="new-")
        with up.client() as client:

            def retrains() -> list[str]:
                runs = [r for r in client.read_flow_runs() if r.deployment_id == deployment.id]
                return [str(r.id) for r in runs if r.state and not r.state.is_scheduled()]

            known = set(retrains())
            wait_until(lambda: len(retrains()) > len(known), 120, "the watch starts a check")
            [started] = set(retrains()) - known
        third = up.ended(up.run(started).id)  # type: ignore[arg-type]
        assert third.name in TRAINED, third.message
        assert up.stop() == 0

    runs = [run for run in records(workspace, store) if run["flow"] == "retrain"]
    assert sorted(run["state"] == "skipped" for run in runs) == [False, False, True]
