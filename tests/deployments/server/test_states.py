"""Prefect's UI, in a browser, also finds runs whose states have names of our own."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from deployments.server.guard import Message, Receive, Send
from deployments.server.states import StateNames

_LIST = "/api/flow_runs/paginate"
_BROWSER = {"Origin": "http://127.0.0.1:4200"}


async def _echo(scope: Message, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    lengths = [value for name, value in scope["headers"] if name == b"content-length"]
    assert lengths == [b"%d" % len(body)]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def _passed_on(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    async def send() -> bytes:
        transport = httpx.ASGITransport(app=StateNames(_echo))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.post(path, content=body, headers=headers)).content

    return asyncio.run(send())


def _filter(*names: str) -> dict[str, Any]:
    return {"limit": 10, "flow_runs": {"state": {"name": {"any_": [*names]}}}}


def _names(*names: str, headers: dict[str, str] = _BROWSER) -> list[str]:
    passed = json.loads(_passed_on(_LIST, json.dumps(_filter(*names)).encode(), headers))
    assert passed["limit"] == 10
    found: list[str] = passed["flow_runs"]["state"]["name"]["any_"]
    return found


def test_a_verdict_is_listed_with_completed_runs_and_a_waiting_run_with_running_ones() -> None:
    verdicts = ["Promoted", "Not promoted", "Champion already", "Nothing to do", "Skipped"]
    assert _names("Completed", "Failed") == ["Completed", "Failed", *verdicts]
    assert _names("Running") == ["Running", "Waiting for another training"]
    assert _names("Failed", "Scheduled") == ["Failed", "Scheduled"]


def test_a_program_gets_what_it_asks_for() -> None:
    assert _names("Completed", headers={}) == ["Completed"]


@pytest.mark.parametrize("body", [b"", b"no json", b"[1]", b'{"flow_runs":{"state":null}}'])
def test_other_requests_are_passed_on_unchanged(body: bytes) -> None:
    assert _passed_on(_LIST, body, _BROWSER) == body
    filtered = json.dumps(_filter("Completed")).encode()
    assert _passed_on("/api/task_runs/filter", filtered, _BROWSER) == filtered
