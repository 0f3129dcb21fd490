"""What stands before Prefect's API: a check of the Host header, and of the parameters of new runs.

Both are plain ASGI wrappers, so they cover every route and every version of the UI.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from deployments.loopback import HOSTS_VARIABLE, requested_name

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_NEW_RUN = re.compile(r"/api/deployments/([0-9a-f-]{36})/create_flow_run")
_MAX_BODY_BYTES = 2**20


class HostGuard:
    """Rejects requests whose Host header is not one of ours (DNS rebinding)."""

    def __init__(self, app: App, hosts: Sequence[str]) -> None:
        """Args: `app` to protect; `hosts` without port, such as 127.0.0.1 and localhost."""
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        name = "" if scope["type"] == "lifespan" else requested_name(scope["headers"])
        if scope["type"] == "lifespan" or name in self._hosts:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            known = ", ".join(sorted(self._hosts))
            text = (
                f"expected the Host header to be one of {known}, got {name!r}; add further names "
                f"with {HOSTS_VARIABLE}"
            )
            await _answer(send, 421, {"detail": text})


class ParameterGuard:
    """Checks the short parameters of a new run, so that a bad one is refused before it exists.

    Args:
        app: Prefect's app.
        check: raises a `FerError` for parameters that can't be run.
    """

    def __init__(self, app: App, check: Callable[[dict[str, Any], str], None]) -> None:
        """Wrap the app."""
        self._app = app
        self._check = check

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 409 with what is wrong."""
        match = _NEW_RUN.fullmatch(scope.get("path", ""))
        if scope["type"] != "http" or scope["method"] != "POST" or match is None:
            await self._app(scope, receive, send)
            return
        body = await read_body(receive)
        deployment = await self._deployment(scope, match[1])
        problem = await self._problem(deployment, body)
        if problem:
            await _answer(send, 409, {"detail": problem})
        else:
            await self._app(scope, replay(body, receive), send)

    async def _deployment(self, scope: Message, deployment_id: str) -> dict[str, Any]:
        """The deployment as the API shows it to this client; empty if it does not."""
        import httpx

        headers = [(name, value) for name, value in scope["headers"] if name == b"authorization"]
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get(f"/api/deployments/{deployment_id}", headers=headers)
        found: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
        return found

    async def _problem(self, deployment: dict[str, Any], body: bytes) -> str:
        from fer_models.errors import FerError

        try:
            given = json.loads(body or b"{}").get("parameters") or {}
        except (ValueError, AttributeError):
            return ""  # Prefect's own check answers
        entrypoint = str(deployment.get("entrypoint", ""))
        if not entrypoint.startswith("flows."):
            return ""
        try:
            parameters = {**deployment.get("parameters", {}), **given}
            await asyncio.to_thread(self._check, parameters, entrypoint)
        except FerError as error:
            # A message of the UI is one paragraph: lines of a list would run into each other.
            return f"{error.message} {'; '.join(error.problems)}".rstrip()
        return ""


async def read_body(receive: Receive) -> bytes:
    """The body of a request, or its first MiB and a little more."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body") or sum(map(len, parts)) > _MAX_BODY_BYTES:
            return b"".join(parts)


def replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives this body first."""
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _answer(send: Send, status: int, content: dict[str, str]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
