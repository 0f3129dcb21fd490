"""The server process: Prefect's app behind our guards. It ends with the process that started it.

Started by `deployments.server.process` as `python -m deployments.server.app FD HOST...`.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from typing import Any

from deployments.server.guard import App, HostGuard, ParameterGuard
from deployments.server.retry import BusyRetry
from deployments.server.states import StateNames
from flows.checks import FLOWS_WITHOUT_DATA, check_pictures, checked
from flows.request import request_of


def check_parameters(parameters: dict[str, Any], entrypoint: str) -> None:
    """Check the short parameters of a new run of one of our flows.

    Raises:
        ConfigError: unknown parameter, recipe, override or network.
        DataError: a source does not exist.
        StoreError: the store is not supported or can't be read.
    """
    from pydantic import ValidationError

    from fer_models.errors import ConfigError

    try:
        request = request_of(parameters)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ConfigError(f"invalid parameters of {entrypoint}:", problems) from error
    flow_name = entrypoint.rpartition(".")[2].replace("_", "-")
    config = checked(request, reads_data=flow_name not in FLOWS_WITHOUT_DATA)
    if "pictures" in parameters:
        check_pictures(config)


def guarded_app(hosts: Sequence[str]) -> App:
    """Prefect's app (API and UI) behind the guards and the repetition of busy requests."""
    from prefect.server.api.server import create_app

    app: App = create_app(final=True)
    return HostGuard(StateNames(ParameterGuard(BusyRetry(app), check_parameters)), hosts)


def main(listening_fd: int, hosts: Sequence[str]) -> None:
    """Serve on an inherited socket until SIGTERM, or until standard input is closed."""
    import uvicorn

    threading.Thread(target=_stop_with_parent, daemon=True).start()
    config = uvicorn.Config(
        lambda: guarded_app(hosts), factory=True, log_level="warning", lifespan="on"
    )
    with socket.socket(fileno=listening_fd) as listening:
        uvicorn.Server(config).run(sockets=[listening])


def _stop_with_parent() -> None:
    """Standard input is a pipe of the parent: it ends when the parent does, however it ends."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
