"""What stands before every request: host name, authentication, method and security headers."""

import base64
import binascii
import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.loopback import AUTH_VARIABLE, HOSTS_VARIABLE, requested_name
from deployments.pages.lists import message_page

# Pages are self-contained: inline script, style and images, and no connection to anywhere.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src data:; connect-src 'none'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """ASGI middleware that lets only permitted requests through.

    Args:
        app: the application.
        names: accepted host names, without ports; any other is rejected.
        auth: `user:password` for HTTP basic authentication; None for none.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str], auth: str | None) -> None:
        self._app = app
        self._names = frozenset(name.lower() for name in names)
        self._auth = auth.encode() if auth is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a forbidden request, or pass it on."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        if requested_name(headers.raw) not in self._names:
            known = ", ".join(sorted(self._names))
            text = f"This server answers to {known}. Add further names with {HOSTS_VARIABLE}."
            return _refuse(421, "Unknown host name", text)
        if self._auth is not None and not _is_authorized(headers, self._auth):
            text = f"User and password are those of {AUTH_VARIABLE}."
            challenge = {"WWW-Authenticate": 'Basic realm="ferflow pages", charset="UTF-8"'}
            return _refuse(401, "Authentication required", text, challenge)
        if method not in ("GET", "HEAD"):
            text = "This server is read-only: expected GET or HEAD."
            return _refuse(405, "Method not allowed", text, {"Allow": "GET, HEAD"})
        return None


def _refuse(
    status: int, title: str, message: str, headers: dict[str, str] | None = None
) -> Response:
    page = message_page(title, message)
    return HTMLResponse(page, status, {"Cache-Control": "no-store", **(headers or {})})


def _is_authorized(headers: Headers, expected: bytes) -> bool:
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, expected)
