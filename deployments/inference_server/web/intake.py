"""How much a client may send: the size of a body, the memory of all bodies, requests a second."""

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.types import Message

from deployments.inference_server.settings import ServingConfig
from deployments.inference_server.web.problems import RequestError, busy

_BURST_S = 2.0
_MOST_CLIENTS = 10_000
_RETRY_S = 2.0


class Intake:
    """Keeps the bodies of all requests within the memory that they may take.

    Example:
        with intake.admitted(request) as limited:
            body = await limited.body()
    """

    def __init__(self, config: ServingConfig) -> None:
        self._max_body = config.max_body_bytes
        self._max_memory = config.max_memory_bytes
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def admitted(self, request: Request) -> Iterator[Request]:
        """The request with a limited body, while there is memory for it.

        Raises:
            RequestError: the body is too large (413), or there is no memory left (503).
        """
        size = self._declared_size(request)
        with self._lock:
            if self._held + size > self._max_memory:
                text = f"expected room for {size:,} bytes, but other requests hold {self._held:,}"
                raise busy("memory_full", text, _RETRY_S)
            self._held += size
        try:
            yield self._limited(request)
        finally:
            with self._lock:
                self._held -= size

    def _declared_size(self, request: Request) -> int:
        """As its header says; the most that is accepted if it says nothing (chunked)."""
        declared = request.headers.get("content-length")
        if declared is None or not declared.isdecimal():
            return self._max_body
        if int(declared) > self._max_body:
            raise self._too_large(f"{int(declared):,}")
        return int(declared)

    def _limited(self, request: Request) -> Request:
        received = 0
        receive = request.receive

        async def limited() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body:
                raise self._too_large(f"more than {self._max_body:,}")
            return message

        return Request(request.scope, limited)

    def _too_large(self, size: str) -> RequestError:
        return RequestError(
            413,
            "too_large",
            f"expected a body of at most {self._max_body:,} bytes, got {size}",
            "send fewer or smaller pictures; --max-body-mb of the server raises the limit",
        )


class RateLimit:
    """A token bucket for each client: `rate_per_s` requests a second, in bursts of two seconds.

    Args:
        rate_per_s: 0 for no limit.
    """

    def __init__(self, rate_per_s: float) -> None:
        self._rate = rate_per_s
        self._most = max(1.0, rate_per_s * _BURST_S)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, client: str, now_s: float | None = None) -> None:
        """Count a request of a client.

        Raises:
            RequestError: there were too many (429).
        """
        if not self._rate:
            return
        now = time.monotonic() if now_s is None else now_s
        left, last = self._buckets.pop(client, (self._most, now))
        left = min(self._most, left + (now - last) * self._rate)
        is_allowed = left >= 1
        self._buckets[client] = (left - is_allowed, now)
        while len(self._buckets) > _MOST_CLIENTS:
            self._buckets.popitem(last=False)
        if not is_allowed:
            text = f"expected at most {self._rate:g} requests a second from one client"
            raise busy("too_many_requests", text, (1 - left) / self._rate, status=429)
