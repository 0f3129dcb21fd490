"""The form offers a recipe soon after it was saved; nothing else of the deployment changes."""

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule

from deployments.choices import fresh_choices
from deployments.serving import build_deployments
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config, save_recipe
from flows.request import RunRequest
from tests.operation.served import wait_until

pytestmark = pytest.mark.usefixtures("prefect_server")
_NAMES = ["run-pipeline/run-pipeline", "retrain/retrain"]


def test_a_saved_recipe_is_offered_without_a_restart(store: ArtifactStore) -> None:
    request = RunRequest(store=store.url)
    for built in build_deployments(request):
        built.apply()
    retrain = _deployment("retrain/retrain")
    with get_client(sync_client=True) as client:
        client.update_deployment_schedule(
            retrain.id, retrain.schedules[0].id, schedule=CronSchedule(cron="5 5 * * 5")
        )
        client.pause_deployment(retrain.id)

    with fresh_choices(request, _NAMES, poll_s=0.1):
        for name in ("ours", "theirs"):
            save_recipe(store, name, load_config("demo"))
            _wait_until_offered(name)
        store.remove_folder("recipes")
        wait_until(lambda: all("ours" not in _offered(each) for each in _NAMES), 30, "removed")

    after = _deployment("retrain/retrain")
    assert after.paused
    assert [item.schedule for item in after.schedules] == [CronSchedule(cron="5 5 * * 5")]
    assert after.parameters == retrain.parameters
    assert after.parameter_openapi_schema == retrain.parameter_openapi_schema


def test_a_failure_is_reported_once_and_tried_again(
    store: ArtifactStore, caplog: pytest.LogCaptureFixture
) -> None:
    request = RunRequest(store=store.url)
    built = {deployment.name: deployment for deployment in build_deployments(request)}
    built["run-pipeline"].apply()
    with get_client(sync_client=True) as client:
        for each in client.read_deployments():
            if each.name == "retrain":
                client.delete_deployment(each.id)
    with fresh_choices(request, _NAMES, poll_s=0.05):
        wait_until(lambda: "may lack saved recipes" in caplog.text, 30, "a warning")
        built["retrain"].apply()
        save_recipe(store, "ours", load_config("demo"))
        _wait_until_offered("ours")
    assert caplog.text.count("may lack saved recipes") == 1


def _wait_until_offered(recipe: str) -> None:
    wait_until(lambda: all(recipe in _offered(each) for each in _NAMES), 30, recipe)


def _deployment(full_name: str) -> DeploymentResponse:
    with get_client(sync_client=True) as client:
        return client.read_deployment_by_name(full_name)


def _offered(full_name: str) -> list[str]:
    schema = _deployment(full_name).parameter_openapi_schema
    assert schema is not None
    offered: list[str] = schema["properties"]["recipe"]["enum"]
    return offered
