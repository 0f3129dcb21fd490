"""A web application on a port of this machine, in a thread."""

import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import uvicorn

from deployments.loopback import address_family, reachable
from fer_models.errors import ConfigError, FerError

_START_TIMEOUT_S = 30.0
# Beyond the time that requests in progress are given.
_STOP_EXTRA_S = 7.0


class WebServer:
    """Serves an ASGI application over HTTP, in a thread of this process.

    Args:
        app: the application.
        what: its name in messages, such as `page server`.
        host: address to bind.
        port: port to bind; 0 for any free one.
        name: host name of the address for a browser; by default that of `host`.
        finish_s: how long requests in progress may take at the end, in seconds.

    Example:
        with WebServer(app, what="page server", host="127.0.0.1", port=0) as server:
            print(server.url)  # http://127.0.0.1:41234
    """

    def __init__(
        self,
        app: Any,
        *,
        what: str,
        host: str,
        port: int,
        name: str | None = None,
        finish_s: int = 3,
    ) -> None:
        self._what = what
        self._name = name or reachable(host)
        self._host, self._port = host, port
        self._finish_s = finish_s
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=2048,
                timeout_graceful_shutdown=finish_s,
            )
        )
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The address for a browser, without a trailing slash; the port is known after `start`."""
        return f"http://{self._name}:{self._port}"

    def start(self) -> Self:
        """Bind the port and serve; returns when requests are answered.

        Raises:
            ConfigError: the port can't be bound.
        """
        listener = self._bind()
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="ferflow-web", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                self.stop()
                raise FerError(f"the {self._what} did not start at {self.url}")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Finish the requests in progress and free the port; harmless if not started."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(self._finish_s + _STOP_EXTRA_S)
            self._thread = None

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    def _bind(self) -> socket.socket:
        # For this protocol only, asyncio switches off Nagle's algorithm, which delays answers.
        family = address_family(self._host)
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"the {self._what} can't use port {self._port} of {self._host} "
                f"({error.strerror or error}); choose another port, or 0 for any free one"
            ) from error
        return listener
