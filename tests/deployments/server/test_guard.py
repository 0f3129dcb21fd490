"""What stands before Prefect's API, in front of a small app that records what reaches it."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.server.app import check_parameters
from deployments.server.guard import App, HostGuard, Message, ParameterGuard, Receive, Send
from fer_models.errors import ConfigError, DataError

_ID = "0" * 8 + "-0000-0000-0000-" + "0" * 12
_NEW_RUN = f"/api/deployments/{_ID}/create_flow_run"


class _Api:
    """Answers like Prefect: one deployment, and an echo of the body of a new run."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = (
            b'{"entrypoint": "flows.run_pipeline.run_pipeline", "parameters": {"recipe": "demo"}}'
        )
        if scope["method"] == "POST":
            body = (await receive())["body"]
            self.bodies.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


def _request(app: App, method: str, path: str, **arguments: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
            return await client.request(method, path, **arguments)

    return asyncio.run(send())


@pytest.mark.parametrize("host", ["127.0.0.1:4200", "localhost", "LOCALHOST:1", "[::1]:4200"])
def test_our_own_names_are_served(host: str) -> None:
    app = HostGuard(_Api(), ("127.0.0.1", "localhost", "[::1]"))
    assert _request(app, "GET", "/api/health", headers={"host": host}).status_code == 200


@given(st.from_regex(r"[a-z0-9.-]{1,20}(:[0-9]{1,5})?", fullmatch=True))
def test_no_other_name_gets_through(host: str) -> None:
    api = _Api()
    answer = _request(HostGuard(api, ("127.0.0.1",)), "POST", "/x", headers={"host": host})
    allowed = host.partition(":")[0] == "127.0.0.1"
    assert answer.status_code == (200 if allowed else 421)
    assert len(api.bodies) == allowed


def test_a_websocket_from_another_host_is_closed() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "headers": [(b"host", b"evil.example")]}
    asyncio.run(HostGuard(_Api(), ("127.0.0.1",))(scope, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_a_bad_parameter_is_refused_before_a_run_exists_and_the_field_is_named() -> None:
    api = _Api()
    app = ParameterGuard(api, check_parameters)
    bad = {"parameters": {"overrides": ["tuning.num_trail=3"]}}
    answer = _request(app, "POST", _NEW_RUN, json=bad)
    assert answer.status_code == 409
    message = answer.json()["detail"]
    assert message.startswith("invalid configuration (recipe demo): overrides tuning.num_trail: ")
    assert "\n" not in message  # the UI shows it as one paragraph
    assert api.bodies == []


def test_a_good_run_reaches_prefect_unchanged() -> None:
    api = _Api()
    app = ParameterGuard(api, check_parameters)
    body = b'{"parameters": {"seed": 3},  "name": "x"}'
    assert _request(app, "POST", _NEW_RUN, content=body).content == body


def test_what_a_run_leaves_out_is_that_of_the_deployment() -> None:
    seen: list[dict[str, Any]] = []
    app = ParameterGuard(_Api(), lambda parameters, _: seen.append(parameters))
    _request(app, "POST", _NEW_RUN, json={"parameters": {"seed": 3}})
    assert seen == [{"recipe": "demo", "seed": 3}]


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"parameters": null}'])
def test_what_is_no_parameter_at_all_is_left_to_prefect(body: bytes) -> None:
    api = _Api()
    assert _request(ParameterGuard(api, check_parameters), "POST", _NEW_RUN, content=body)
    assert api.bodies == [body]


@pytest.mark.parametrize(
    ("parameters", "named"),
    [({"seed": -1}, "seed"), ({"config": {}}, "config"), ({"data": "x.csv"}, "data")],
)
def test_a_parameter_of_the_wrong_type_is_named(parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named}: "):
        check_parameters(parameters, "flows.retrain.retrain")


@pytest.mark.parametrize("flow", ["predict_batch", "house_keeping"])
def test_a_run_that_reads_no_training_data_is_not_refused_for_it(tmp_path: Path, flow: str) -> None:
    away = f"data.sources=[{tmp_path / 'away.csv'}]"
    parameters: dict[str, Any] = {"overrides": [away], "store": str(tmp_path)}
    own = {"pictures": [str(tmp_path)]} if flow == "predict_batch" else {}
    check_parameters(parameters | own, f"flows.{flow}.{flow}")
    with pytest.raises(DataError, match="no such file"):
        check_parameters(parameters, "flows.retrain.retrain")
