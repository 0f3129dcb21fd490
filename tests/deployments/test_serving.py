"""The deployments: the same for `ferflow up` and for a work pool, and able to run."""

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.recipes import load_config
from deployments.serving import SERVED, WEEKLY, build_deployments
from flows.pipeline_config import PipelineConfig
from tests.deployments.processes import Workspace

_YAML = Path(__file__).parents[2] / "deployments" / "prefect.yaml"


def test_the_parameters_default_to_the_recipe_and_have_all_settings() -> None:
    config = load_config("fer2013")
    for deployment in build_deployments(config):
        assert PipelineConfig.model_validate(deployment.parameters["config"]) == config
        schema = deployment._parameter_openapi_schema.model_dump()
        known = schema["definitions"]["PipelineConfig"]["properties"]
        assert set(known) == set(PipelineConfig.model_fields)
        assert schema["definitions"]["TuningConfig"]["properties"]["num_trials"]["minimum"] == 1


def test_deployments_are_tagged_with_the_serving_process() -> None:
    for deployment in build_deployments(PipelineConfig(), tags=["process:host:1:2"]):
        assert set(deployment.tags) == {"ferflow", "process:host:1:2"}


def test_only_retrain_is_scheduled_and_its_schedule_can_be_changed() -> None:
    def crons(**arguments: Any) -> dict[str, list[str]]:
        deployments = build_deployments(PipelineConfig(), **arguments)
        return {
            deployment.name: [item.schedule.cron for item in deployment.schedules or []]
            for deployment in deployments
        }

    weekly = crons()
    assert weekly["retrain"] == [WEEKLY]
    assert not any(cron for name, cron in weekly.items() if name != "retrain")
    assert crons(cron="0 4 * * *")["retrain"] == ["0 4 * * *"]
    assert crons(cron=None)["retrain"] == []


def test_the_work_pool_declares_the_same_deployments() -> None:
    declared = {item["name"]: item for item in yaml.safe_load(_YAML.read_text())["deployments"]}
    assert {name: item["entrypoint"] for name, item in declared.items()} == {
        served.name: served.entrypoint for served in SERVED
    }
    assert [s["cron"] for s in declared["retrain"]["schedules"]] == [WEEKLY]
    assert all(item["concurrency_limit"] == 1 for item in declared.values())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """`ferflow up`, ready on a free port: the JSON line it printed, and the path of its store."""
    tmp_path = tmp_path_factory.mktemp("up")
    workspace = Workspace(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ("--recipe", "tiny.yaml", "--store", str(tmp_path / "store"))
    log = (tmp_path / "log").open("w")
    process = workspace.start("up", *options, "--port", str(port), "--json", stderr=log)
    assert process.stdout is not None
    try:
        announced = json.loads(process.stdout.readline() or "{}")
        yield announced | {"store": tmp_path / "store"}
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
            bad = {"config": {"tuning": {"num_trials": 0}}}
            with pytest.raises(PrefectHTTPStatusError, match="num_trials"):
                run_deployment("prepare-data/prepare-data", parameters=bad, timeout=0)
    assert len(list((served["store"] / "datasets").iterdir())) == 3


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
    for name in ("run-pipeline", "prepare-data", "train-models", "promote-model", "retrain"):
        assert name in page
    assert "Monday" in page
