"""The inference server: the service and its web application on a port."""

from collections.abc import Sequence

from deployments.inference_server.models.service import InferenceService
from deployments.inference_server.settings import DEFAULT_PORT, check_reach
from deployments.inference_server.web.app import build_app
from deployments.loopback import LOOPBACK, accepted_names, browser_name
from deployments.web_server import WebServer

_FINISH_S = 30


class InferenceServer(WebServer):
    """Serves a model over HTTP, in a thread of this process.

    Args:
        service: predicts; the caller starts and ends it.
        host: address to bind; beyond loopback `token` is required.
        port: port to bind; 0 for any free one.
        token: what clients send as `Authorization: Bearer TOKEN`; None for no authentication.
        names: further host names under which clients reach the server, besides those of
            FERFLOW_HOSTS.

    Raises:
        ConfigError: a host beyond loopback without a token.

    Example:
        with (
            InferenceService("bundled", None, ServingConfig()) as service,
            InferenceServer(service, port=0) as server,
        ):
            print(server.url)  # http://127.0.0.1:41234
    """

    def __init__(
        self,
        service: InferenceService,
        *,
        host: str = LOOPBACK,
        port: int = DEFAULT_PORT,
        token: str | None = None,
        names: Sequence[str] = (),
    ) -> None:
        check_reach(host, token)
        super().__init__(
            build_app(service, {*accepted_names(host), *names}, token),
            what="inference server",
            host=host,
            port=port,
            name=browser_name(host, names),
            finish_s=_FINISH_S,
        )
