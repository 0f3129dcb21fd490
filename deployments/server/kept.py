"""Keep a server running: one that ended by itself is started again."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from deployments.server.process import ServerProcess
from fer_models.errors import FerError

_POLL_S = 0.5
_MAX_RESTARTS = 5
_WITHIN_S = 600.0
"""A server that ends more than `_MAX_RESTARTS` times in this time is not started again."""


@contextmanager
def kept_running(start: Callable[[], ServerProcess]) -> Iterator[ServerProcess]:
    """Start a server and keep it running during the block; yields the first one.

    Runs that train meanwhile go on: Prefect's client repeats its requests for some seconds. If the
    server ends again and again, this process gets SIGTERM.

    Args:
        start: starts the server, each time at the same address.
    """
    first = start()
    keeper = _Keeper(first, start)
    try:
        first.wait()
        keeper.begin()
        yield first
    finally:
        keeper.end()


class _Keeper:
    """A thread that waits for the end of the server."""

    def __init__(self, server: ServerProcess, start: Callable[[], ServerProcess]) -> None:
        self._server = server
        self._start = start
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="keep-server", daemon=True)
        self._restarts: list[float] = []

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Start no server any more, and stop the one that runs."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self._server.stop()

    def _keep(self) -> None:
        while not self._is_over.wait(_POLL_S):
            code = self._server.process.poll()
            if code is None:
                continue
            if not self._may_restart():
                click.echo(
                    f"error: the Prefect server ended {_MAX_RESTARTS + 1} times within "
                    f"{_WITHIN_S / 60:.0f} minutes, last with {_ending(code)}; stopping. Start "
                    "`ferflow up --verbose` to see its output",
                    err=True,
                )
                os.kill(os.getpid(), signal.SIGTERM)
                return
            click.echo(
                f"warning: the Prefect server ended ({_ending(code)}); starting it again", err=True
            )
            self._restart()

    def _may_restart(self) -> bool:
        now = time.monotonic()
        self._restarts = [when for when in self._restarts if now - when < _WITHIN_S]
        self._restarts.append(now)
        return len(self._restarts) <= _MAX_RESTARTS

    def _restart(self) -> None:
        self._server.stop()  # closes what is left of it
        try:
            self._server = self._start()
            self._server.wait()
        except FerError as error:  # the next look tries again, or gives up
            click.echo(f"warning: {error}", err=True)


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
