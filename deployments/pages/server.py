"""The page server: the web application on a port, in a thread."""

import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

import uvicorn

from deployments.loopback import (
    LOOPBACK,
    accepted_names,
    address_family,
    check_exposure,
    configured_names,
    is_loopback,
    reachable,
)
from deployments.pages.app import build_app
from fer_models.errors import ConfigError, FerError
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

DEFAULT_PORT = 4201
_START_TIMEOUT_S = 30.0
_STOP_TIMEOUT_S = 10.0


class PageServer:
    """Serves the artifacts of one store over HTTP, read-only, in a thread of this process.

    Args:
        store: what is served; it need not exist yet.
        host: address to bind; beyond loopback `auth` is required.
        port: port to bind; 0 for any free one.
        auth: `user:password` for HTTP basic authentication; None for none.
        names: further host names under which browsers reach the server, besides those of
            FERFLOW_HOSTS.

    Raises:
        ConfigError: a host beyond loopback without `auth`, or a malformed `auth`.
        StoreError: the store's URL is not supported.

    Example:
        with PageServer(StoreConfig(url="/data/ferflow"), port=0) as server:
            print(server.url)  # http://127.0.0.1:41234
    """

    def __init__(
        self,
        store: StoreConfig,
        *,
        host: str = LOOPBACK,
        port: int = DEFAULT_PORT,
        auth: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        check_exposure(host, auth, "other machines could read the pages")
        elsewhere = () if is_loopback(host) else configured_names()
        self._name = next(iter((*names, *elsewhere)), reachable(host))
        self._host, self._port = host, port
        app = build_app(ArtifactStore(store), {*accepted_names(host), *names}, auth)
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=3,
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
            target=self._server.run, args=([listener],), name="ferflow-pages", daemon=True
        )
        self._thread.start()
        end = time.monotonic() + _START_TIMEOUT_S
        while not self._server.started:
            if time.monotonic() > end or not self._thread.is_alive():
                self.stop()
                raise FerError(f"the page server did not start at {self.url}")
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        """Finish the requests in progress and free the port; harmless if not started."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_STOP_TIMEOUT_S)
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
        listener = socket.socket(address_family(self._host), socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise ConfigError(
                f"the page server can't use port {self._port} of {self._host} "
                f"({error.strerror or error}); choose another port, or 0 for any free one"
            ) from error
        return listener
