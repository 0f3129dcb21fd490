"""A request that Prefect's database was too busy for is repeated before the client sees it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from deployments.server.retry import _ATTEMPTS, BusyRetry


class _LockedError(Exception):
    """As of a database."""


def _unavailable(_: Request, __: Exception) -> Response:
    return PlainTextResponse("busy", 503)


class _Busy:
    """Fails so many times, which it answers as Prefect does; then answers what it received."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.bodies: list[bytes] = []
        routes = [Mount("/api", routes=[Route("/runs", self._answer, methods=["POST", "GET"])])]
        self.app = Starlette(
            routes=[*routes, Route("/page", self._answer, methods=["GET"])],
            exception_handlers={Exception: _unavailable},
        )

    async def _answer(self, request: Request) -> Response:
        self.bodies.append(await request.body())
        if self.left:
            self.left -= 1
            raise _LockedError
        return PlainTextResponse(b"done " + self.bodies[-1])


def _send(
    busy: _Busy, method: str, path: str, content: bytes | AsyncIterator[bytes] = b""
) -> httpx.Response:
    async def send() -> httpx.Response:
        retry = BusyRetry(busy.app, first_delay_s=0.001)
        transport = httpx.ASGITransport(app=retry, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, content=content)

    return asyncio.run(send())


@pytest.mark.parametrize("times", [0, 1, _ATTEMPTS - 1])
def test_a_busy_request_is_repeated_as_it_was(times: int) -> None:
    busy = _Busy(times)
    answer = _send(busy, "POST", "/api/runs", b"a run")
    assert (answer.status_code, answer.text) == (200, "done a run")
    assert busy.bodies == [b"a run"] * (times + 1)
    assert _send(_Busy(times), "GET", "/api/runs").status_code == 200


def test_lasting_trouble_is_answered_once() -> None:
    busy = _Busy(1000)
    answer = _send(busy, "POST", "/api/runs", b"x")
    assert (answer.status_code, answer.text) == (503, "busy")
    assert len(busy.bodies) == _ATTEMPTS


def test_a_large_body_and_other_pages_pass_once() -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 2**19

    busy = _Busy(1)
    assert _send(busy, "POST", "/api/runs", parts()).status_code == 503
    assert [len(body) for body in busy.bodies] == [5 * 2**19]
    assert _send(_Busy(1), "GET", "/page").status_code == 503
