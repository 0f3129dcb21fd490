"""The deployments: the same for `ferflow up` and for a work pool, and able to run."""

import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.serving import SERVED, WEEKLY, WEEKLY_HOUSE_KEEPING, build_deployments
from fer_models.storage.store import ArtifactStore
from flows.recipes import load_config, save_recipe
from flows.request import RunRequest
from tests.deployments.processes import Workspace, free_port

_YAML = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


def test_the_form_is_short_and_offers_the_recipes(store: ArtifactStore) -> None:
    save_recipe(store, "ours", load_config("demo", ["members.0.training.epochs=2"]))
    request = RunRequest(recipe="fer2013", data=("faces",), store=store.url, overrides=("seed=3",))
    for deployment in build_deployments(request):
        predicts = deployment.name == "predict-batch"
        training = {"data": [str(Path("faces").absolute())], "seed": None}
        assert deployment.parameters == {
            "recipe": "fer2013",
            "store": store.url,
            "run_name": "",
            "overrides": ["seed=3"],
            **({} if predicts else training),
        }
        fields = deployment._parameter_openapi_schema.model_dump()["properties"]
        assert ({"pictures", "model", "redo"} <= set(fields)) == predicts
        assert len(fields) <= 8
        assert "run_name" not in fields  # the form has Prefect's own field for it
        assert all("Example: " in field["description"] for field in fields.values())
        assert {"fer2013", "demo", "ours"} <= set(fields["recipe"]["enum"])
        assert ("force" in fields) == (deployment.name == "retrain")


def test_the_schedule_of_retrain_can_be_changed_and_that_of_house_keeping_stays() -> None:
    def crons(**arguments: Any) -> dict[str, list[str]]:
        deployments = build_deployments(RunRequest(), **arguments)
        return {
            deployment.name: [item.schedule.cron for item in deployment.schedules or []]
            for deployment in deployments
        }

    weekly = crons()
    assert weekly["retrain"] == [WEEKLY]
    assert weekly["house-keeping"] == [WEEKLY_HOUSE_KEEPING]
    assert {name for name, cron in weekly.items() if cron} == {"retrain", "house-keeping"}
    assert crons(cron=None)["house-keeping"] == [WEEKLY_HOUSE_KEEPING]
    assert crons(cron="0 4 * * *")["retrain"] == ["0 4 * * *"]
    assert crons(cron=None)["retrain"] == []


def test_the_work_pool_declares_the_same_deployments() -> None:
    declared = {item["name"]: item for item in yaml.safe_load(_YAML.read_text())["deployments"]}
    assert {name: item["entrypoint"] for name, item in declared.items()} == {
        served.name: served.entrypoint for served in SERVED
    }
    needs = declared["retrain"]["build"][0]["deployments.steps.run_parameters"]
    assert needs["needs_data"]
    needs = declared["house-keeping"]["build"][0]["deployments.steps.run_parameters"]
    assert needs["needs_store"]
    assert "needs_data" not in needs
    assert [s["cron"] for s in declared["retrain"]["schedules"]] == [WEEKLY]
    assert [s["cron"] for s in declared["house-keeping"]["schedules"]] == [WEEKLY_HOUSE_KEEPING]
    assert all(item["concurrency_limit"] == 1 for item in declared.values())


_BAD_PARAMETERS: dict[str, dict[str, Any]] = {
    "recipe": {"recipe": "fer2031"},
    "/nowhere.csv": {"data": ["/nowhere.csv"]},
    "seed": {"seed": -1},
    "overrides tuning.num_trail": {"overrides": ["tuning.num_trail=3"]},
    "tuning.num_trials": {"overrides": ["tuning.num_trials=0"]},
    "members.compact_cnn.network.name": {"overrides": ["members.0.network.name=resnet999"]},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`ferflow up`, ready on a free port: the JSON line it printed, and the path of its store."""
    tmp_path = tmp_path_factory.mktemp("up")
    workspace = Workspace(tmp_path)
    port = free_port()
    options = ("--recipe", "tiny.yaml", "--store", str(tmp_path / "store"), "--pages-port", "0")
    log = (tmp_path / "log").open("w")
    process = workspace.start("up", *options, "--port", str(port), "--json", stderr=log)
    assert process.stdout is not None
    try:
        announced = json.loads(process.stdout.readline() or "{}")
        yield announced | {"store": tmp_path / "store", "workspace": workspace}
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        process.stdout.close()
        log.close()


@pytest.mark.timeout(1800)
def test_a_run_triggered_through_the_api_completes(served: dict[str, Any]) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.objects import FlowRun
    from prefect.deployments import run_deployment
    from prefect.exceptions import PrefectHTTPStatusError
    from prefect.settings import PREFECT_API_URL, temporary_settings

    assert served["state"] == "ready"
    assert "run-pipeline/run-pipeline" in served["deployments"]
    with temporary_settings({PREFECT_API_URL: served["api"]}):
        run = run_deployment("prepare-data/prepare-data", timeout=0)
        assert isinstance(run, FlowRun)
        with get_client(sync_client=True) as client:
            while not (state := client.read_flow_run(run.id).state) or not state.is_final():
                time.sleep(1)
            assert state.is_completed(), state.message
            for field, bad in _BAD_PARAMETERS.items():
                with pytest.raises(PrefectHTTPStatusError, match=field):
                    run_deployment("prepare-data/prepare-data", parameters=bad, timeout=0)
            started = [r for r in client.read_flow_runs() if not r.auto_scheduled]
            assert [r.id for r in started] == [run.id]
    assert len(list((served["store"] / "datasets").iterdir())) == 3


def _answer(url: str, method: str, headers: dict[str, str], body: bytes | None = None) -> int:
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.timeout(1800)
def test_a_page_from_elsewhere_can_neither_read_nor_change_anything(
    served: dict[str, Any],
) -> None:
    """Prefect's defaults let such a page change what a deployment runs."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    api = served["api"]
    with temporary_settings({PREFECT_API_URL: api}), get_client(sync_client=True) as client:
        deployment = client.read_deployment_by_name("retrain/retrain")
    url = f"{api}/deployments/{deployment.id}"
    json_body = {"Content-Type": "application/json"}
    attack = b'{"pull_steps": [{"prefect.deployments.steps.run_shell_script": {"script": "id"}}]}'
    assert _answer(url, "PATCH", json_body, attack) == 403  # no CSRF token
    rebound = {"Host": "evil.example"}
    assert _answer(url, "GET", rebound) == 421
    assert _answer(url, "PATCH", json_body | rebound, attack) == 421
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "PATCH"}
    assert _answer(url, "OPTIONS", preflight) == 400
    own = {"Origin": api.removesuffix("/api"), "Access-Control-Request-Method": "PATCH"}
    assert _answer(url, "OPTIONS", own) == 200
    assert _answer(served["pages"] + "/", "GET", {}) == 200
    assert _answer(served["pages"] + "/", "GET", rebound) in (400, 421)
    assert _answer(served["pages"] + "/", "POST", {}, b"") == 405


@pytest.mark.timeout(1800)
def test_a_second_up_for_the_same_place_names_the_first(served: dict[str, Any]) -> None:
    workspace: Workspace = served["workspace"]
    options = ("--recipe", "tiny.yaml", "--store", str(served["store"]))
    second = workspace.run("up", *options, "--port", str(free_port()), expect=2)
    assert served["ui"] in second["error"]


def test_a_host_beyond_loopback_needs_a_password(tmp_path: Path) -> None:
    answer = Workspace(tmp_path).run("up", "--host", "0.0.0.0", expect=2)
    assert "PREFECT_SERVER_API_AUTH_STRING" in answer["error"]


@pytest.mark.browser
@pytest.mark.timeout(1800)
def test_the_ui_shows_the_deployments_and_their_schedule(
    served: dict[str, Any], tmp_path: Path
) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("Chromium is not installed")
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run"
    flags += " --disable-background-networking --disable-component-update --disable-sync"
    command = [chromium, *flags.split(), "--virtual-time-budget=15000", "--dump-dom"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"{served['ui']}/deployments"]
    page = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for one in SERVED:
        assert one.name in page
    assert "Monday" in page
