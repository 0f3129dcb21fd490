"""The page server: the web application on a port, in a thread."""

from collections.abc import Sequence

from deployments.loopback import (
    LOOPBACK,
    accepted_names,
    browser_name,
    check_exposure,
)
from deployments.pages.app import build_app
from deployments.web_server import WebServer
from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

DEFAULT_PORT = 4201


class PageServer(WebServer):
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
        super().__init__(
            build_app(ArtifactStore(store), {*accepted_names(host), *names}, auth),
            what="page server",
            host=host,
            port=port,
            name=browser_name(host, names),
        )
