"""Repeat what SQLite refused because another request was writing.

Prefect answers such a request with 503, and its client waits one to three seconds before it tries
again. The lock is held for milliseconds: repeating the request here costs a run no time.
"""

import asyncio
from collections.abc import Sequence

from deployments.server.guard import App, Message, Receive, Send

_ATTEMPTS = 10
_FIRST_DELAY_S = 0.02
_MAX_BODY_BYTES = 2**20


class BusyRetry:
    """Answers 503 only if Prefect's API has done so ten times within about two seconds.

    Nothing was changed by such a request, and the client would repeat it as well.
    """

    def __init__(self, app: App, first_delay_s: float = _FIRST_DELAY_S) -> None:
        """Args: `app`, Prefect's; `first_delay_s` before the second attempt, then growing."""
        self._app = app
        self._first_delay_s = first_delay_s

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass the request on, if necessary several times."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        body = await _received(receive)
        # A larger body than we keep can be sent once only.
        attempts = 1 if body[-1].get("more_body") else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            answer = _Answer(send, may_hold=attempt < attempts)
            try:
                # A copy: the routes that a request passes through write to its scope.
                await self._app(dict(scope), _replayed(body, receive), answer)
            except Exception:
                # The app raises it again after its answer, for the log of the server.
                if not answer.is_held:
                    raise
            if not answer.is_held:
                return
            await asyncio.sleep(self._first_delay_s * attempt)


class _Answer:
    """Sends an answer on, unless it is a 503 that may be held back."""

    def __init__(self, send: Send, *, may_hold: bool) -> None:
        self._send = send
        self._may_hold = may_hold
        self.is_held = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 503:
            self.is_held = self._may_hold
        if not self.is_held:
            await self._send(message)


async def _received(receive: Receive) -> list[Message]:
    """The messages of a request's body, until its end or the size that we keep."""
    messages: list[Message] = []
    num_bytes = 0
    while True:
        message = await receive()
        messages.append(message)
        num_bytes += len(message.get("body", b""))
        if not message.get("more_body") or num_bytes > _MAX_BODY_BYTES:
            return messages


def _replayed(messages: Sequence[Message], receive: Receive) -> Receive:
    left = [*messages]

    async def replayed() -> Message:
        return left.pop(0) if left else await receive()

    return replayed
