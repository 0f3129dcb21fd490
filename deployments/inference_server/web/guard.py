"""What stands before every request: host name, origin, token, rate; headers of every answer."""

import hmac
import time
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.inference_server.metrics import Metrics
from deployments.inference_server.settings import TOKEN_VARIABLE
from deployments.inference_server.web.intake import RateLimit
from deployments.inference_server.web.problems import RequestError, as_request_error
from deployments.loopback import HOSTS_VARIABLE, host_name, requested_name

# No inline script or style, nothing from elsewhere; text never becomes markup.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_PAGE = "/page/"
# The page holds no secret and asks for the token itself; probes of a supervisor have none.
_OPEN = ("/", "/health/live", "/health/ready")
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_OTHER = "other"


class Guard:
    """ASGI middleware that lets only permitted requests through, and counts all.

    Args:
        app: the application.
        names: accepted host names, without ports; any other is rejected.
        token: expected as `Authorization: Bearer TOKEN`; None for no authentication.
        rate: limits the requests with pictures of each client.
        metrics: counts requests.
        paths: known addresses; all others are counted together.
    """

    def __init__(
        self,
        app: ASGIApp,
        names: Iterable[str],
        token: str | None,
        rate: RateLimit,
        metrics: Metrics,
        paths: Iterable[str],
    ) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._token = token.encode() if token is not None else None
        self._rate = rate
        self._metrics = metrics
        self._paths = frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a forbidden request, or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        start_s = time.perf_counter()
        path = scope["path"] if scope["path"] in self._paths else _OTHER
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if status:  # half an answer is sent
                raise
            answer = as_request_error(error)
            self._metrics.rejected.labels(answer.problem.code).inc()
            await answer.response()(scope, receive, send_with_headers)
        finally:
            # Clients invent methods, and every label is kept.
            is_known = path != _OTHER and scope["method"] in _METHODS
            method = scope["method"] if is_known else _OTHER
            self._metrics.requests.labels(method, path, str(status)).inc()
            self._metrics.request_seconds.labels(path).observe(time.perf_counter() - start_s)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_name(headers)
        path = scope["path"]
        is_open = path in _OPEN or path.startswith(_PAGE)
        if self._token is not None and not is_open and not _is_authorized(headers, self._token):
            raise RequestError(
                401,
                "unauthorized",
                "expected the header `Authorization: Bearer TOKEN` with the server's token",
                f"send the token that the server has from {TOKEN_VARIABLE} or --token-file",
                headers={"WWW-Authenticate": 'Bearer realm="ferflow"'},
            )
        if scope["method"] == "POST":
            client = scope.get("client") or ("unknown", 0)
            self._rate.check(client[0])

    def _check_name(self, headers: Headers) -> None:
        known = ", ".join(sorted(self._names))
        if requested_name(headers.raw) not in self._names:
            raise RequestError(
                421,
                "unknown_host",
                f"expected one of the host names {known}",
                f"use one of them, or add yours with --name or {HOSTS_VARIABLE}",
            )
        origin = headers.get("origin")
        if origin is not None and host_name(origin.partition("://")[2]) not in self._names:
            raise RequestError(
                403,
                "foreign_origin",
                f"expected a page of this server ({known}), got one of {origin[:100]!r}",
                "open the page of this server, or call it from a program",
            )


def _is_authorized(headers: Headers, token: bytes) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(
        given.strip().encode("utf-8", "replace"), token
    )
