"""Automations on a real Prefect server: events start runs and send notifications."""

import json
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from deployments.automations.retraining import DEPLOYMENT, ON_CHANGE, ON_REQUEST
from fer_models.errors import ConfigError
from tasks.events import DATA_CHANGED, RETRAIN_REQUESTED, emit, emit_drift, emit_promoted
from tests.deployments.processes import free_port, running_prefect_server

TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a Prefect server, configured for this process."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    folder = tmp_path_factory.mktemp("prefect")
    with (
        running_prefect_server(folder, free_port()) as api_url,
        temporary_settings({PREFECT_API_URL: api_url}),
    ):
        yield api_url


@pytest.fixture(scope="module")
def received() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The URL of a local receiver, and what it received."""
    messages: list[dict[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            messages.append(json.loads(self.rfile.read(length)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests clean."""

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{receiver.server_address[1]}", messages
    receiver.shutdown()
    receiver.server_close()


def _deploy() -> Any:
    """Create the deployment `retrain/retrain` of a flow that does nothing."""
    from prefect import flow

    @flow(name="retrain")
    def retrain(seed: int, force: bool = False) -> None: ...

    deployment = retrain.to_deployment("retrain", parameters={"seed": 5}, tags=["ferflow"])
    return deployment.apply()


def _runs() -> list[Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return [run for run in client.read_flow_runs() if run.deployment_id is not None]


def _state_of(run_id: uuid.UUID) -> str | None:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_flow_run(run_id).state_name


def _wait_for(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + TIMEOUT_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{what} did not happen within {TIMEOUT_S:.0f} s")


def _automations() -> dict[str, Any]:
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return {automation.name: automation for automation in client.read_automations()}


def _post_event(api_url: str, event: dict[str, Any]) -> None:
    """As a system without Python would: one HTTP request."""
    request = urllib.request.Request(
        f"{api_url}/events",
        data=json.dumps([event]).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 204


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("server")
class TestOnARealServer:
    """The tests share a server and follow each other."""

    def test_a_missing_deployment_and_a_missing_block_are_reported(self) -> None:
        from deployments.automations.notifications import ensure_notifications
        from deployments.automations.retraining import ensure_retraining_automations

        with pytest.raises(ConfigError, match="no deployment retrain/retrain"):
            ensure_retraining_automations()
        with pytest.raises(ConfigError, match="no such block"):
            ensure_notifications("slack-webhook/absent")
        with pytest.raises(ConfigError, match="expected TYPE/NAME"):
            ensure_notifications("absent")

    def test_only_a_run_whose_heartbeats_stop_is_marked_as_crashed(self) -> None:
        from prefect import flow
        from prefect.client.orchestration import get_client
        from prefect.states import Completed, Running

        from deployments.automations.heartbeat import ensure_heartbeat_automation

        @flow
        def beating() -> None: ...

        ensure_heartbeat_automation(silence_s=10)
        with get_client(sync_client=True) as client:
            dead, ended = (client.create_flow_run(beating, state=Running()) for _ in range(2))
            for run in (dead, ended):
                emit("prefect.flow-run.heartbeat", f"prefect.flow-run.{run.id}", run.name, {})
            time.sleep(2)
            client.set_flow_run_state(ended.id, Completed(name="Promoted"), force=True)
            _wait_for(lambda: _state_of(dead.id) == "Crashed", "the mark of the dead run")
            time.sleep(5)
            assert _state_of(ended.id) == "Promoted"

    def test_ensuring_twice_writes_once(self, received: Any) -> None:
        from prefect.blocks.notifications import CustomWebhookNotificationBlock

        from deployments.automations import ensure
        from deployments.automations.setup import ensure_automations

        CustomWebhookNotificationBlock(
            name="receiver",
            url=received[0],
            json_data={"subject": "{{subject}}", "body": "{{body}}"},
        ).save("receiver", overwrite=True)
        _deploy()
        ensure_automations("custom-webhook/receiver")
        before = _automations()
        assert len(before) == 7
        updates: list[str] = []
        original = ensure._complete

        def counted(automation: Any) -> Any:
            updates.append(automation.name)
            return original(automation)

        ensure._complete = counted
        try:
            ensure_automations("custom-webhook/receiver")
        finally:
            ensure._complete = original
        assert updates == []
        assert {a.id for a in _automations().values()} == {a.id for a in before.values()}

    def test_a_request_forces_a_run_with_the_deployments_parameters(self, server: str) -> None:
        resource = {"prefect.resource.id": "my-system.labels"}
        event = {
            "id": str(uuid.uuid4()),
            "event": RETRAIN_REQUESTED,
            "resource": resource,
            "occurred": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        known = {run.id for run in _runs()}
        _post_event(server, event)
        [run] = _wait_for(lambda: [r for r in _runs() if r.id not in known], "the forced run")
        assert run.parameters == {"seed": 5, "force": True}

    def test_changed_data_start_a_check(self) -> None:
        known = {run.id for run in _runs()}
        emit(DATA_CHANGED, "ferflow.data", "faces", {"fingerprint": "0123"})
        [run] = _wait_for(lambda: [r for r in _runs() if r.id not in known], "the check")
        assert run.parameters == {"seed": 5}

    def test_drift_found_while_retraining_only_notifies(self, received: Any) -> None:
        from fer_models.storage.refs import DriftRef

        drift = DriftRef(
            id="d1",
            url="u",
            champion_id="model-1",
            num_images=300,
            judged=True,
            detected=True,
            report_url="file:///report.html",
        )
        known, messages = {run.id for run in _runs()}, received[1]
        emit_drift(drift, ["brightness", "embedding"], during_retrain=True)
        [message] = _wait_for(lambda: [m for m in messages if "drift" in m["subject"]], "a message")
        assert "300 recent images" in message["subject"]
        assert "model-1: brightness, embedding" in message["body"]
        assert {run.id for run in _runs()} == known
        emit_drift(drift, ["brightness"], during_retrain=False)
        _wait_for(lambda: [r for r in _runs() if r.id not in known], "the check")

    def test_a_new_champion_and_a_failed_run_are_notified(self, received: Any) -> None:
        from prefect.client.orchestration import get_client
        from prefect.states import Failed

        from fer_models.storage.refs import PromotionRef

        messages = received[1]
        promotion = PromotionRef(
            id="p1",
            url="u",
            promoted=True,
            candidate_id="model-2",
            champion_id="model-1",
            reason="better",
        )
        emit_promoted(promotion)
        [message] = _wait_for(
            lambda: [m for m in messages if "champion" in m["subject"]], "the promotion"
        )
        assert message["body"] == "model-2 replaces model-1: better"
        failed = _runs()[0]
        with get_client(sync_client=True) as client:
            client.set_flow_run_state(failed.id, Failed(message="out of memory"), force=True)
        [message] = _wait_for(
            lambda: [m for m in messages if "Failed" in m["subject"]], "a failure"
        )
        assert failed.name in message["subject"]
        assert "out of memory" in message["body"]

    def test_only_a_run_that_stays_crashed_is_notified(self, received: Any) -> None:
        from prefect.client.orchestration import get_client
        from prefect.states import Cancelled, Crashed, Running

        from deployments.automations.notifications import ensure_notifications

        ensure_notifications("custom-webhook/receiver", confirm_s=10)
        messages = received[1]
        with get_client(sync_client=True) as client:
            deployment_id = client.read_deployment_by_name(DEPLOYMENT).id
            cancelled, dead = (
                client.create_flow_run_from_deployment(deployment_id) for _ in range(2)
            )
            for run in (cancelled, dead):
                client.set_flow_run_state(run.id, Running(), force=True)
                client.set_flow_run_state(run.id, Crashed(message="no heartbeat"), force=True)
            client.set_flow_run_state(cancelled.id, Cancelled(), force=True)
        [message] = _wait_for(
            lambda: [m for m in messages if "Crashed" in m["subject"]], "the crash"
        )
        assert dead.name in message["subject"]
        assert "no heartbeat" in message["body"]
        time.sleep(10)
        assert not [m for m in messages if cancelled.name in m["subject"]]

    def test_a_recreated_deployment_is_found_again_and_a_pause_kept(self) -> None:
        from prefect.client.orchestration import get_client

        from deployments.automations.setup import ensure_automations

        with get_client(sync_client=True) as client:
            client.pause_automation(_automations()[ON_CHANGE].id)
            client.delete_deployment(client.read_deployment_by_name(DEPLOYMENT).id)
        deployment_id = _deploy()
        ensure_automations()
        for name in (ON_REQUEST, ON_CHANGE):
            [action] = _automations()[name].actions
            assert action.deployment_id == deployment_id
        assert not _automations()[ON_CHANGE].enabled
        assert _automations()[ON_REQUEST].enabled
