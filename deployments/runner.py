"""The runner of `ferflow up`: a signal ends the served runs truthfully before it ends itself."""

import asyncio
import contextlib
import contextvars
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import psutil
from prefect.logging.handlers import APILogWorker
from prefect.runner import Runner

from deployments.server.process import answers
from fer_models.processes import is_alive
from fer_models.redaction import without_credentials

_LOG_TIMEOUT_S = 5.0
_GRACE_S = 5.0
_PATIENCE_S = 4.0


class ServingRunner(Runner):
    """Prefect's runner, which by itself leaves runs `Running` for ever after Ctrl-C.

    On SIGINT or SIGTERM, the processes of all runs are ended and their runs become `Cancelled`, as
    if a person had cancelled them; a second signal ends at once. Without an answer of the server,
    Prefect would wait for it before it ends the processes: they are ended without it.
    """

    def __init__(self, api_url: str, home: Path, **options: Any) -> None:
        """Create it.

        Args:
            api_url: of the server.
            home: Prefect's folder.
            options: what `Runner` takes.
        """
        super().__init__(**options)
        self._api_url = api_url
        # Prefect makes a folder of another name each time, which a killed process leaves.
        self._tmp_dir = home / "runner"
        self._is_asked_to_stop = False

    def handle_sigterm(self, *args: Any, **kwargs: Any) -> None:
        """Stop in the runner's own loop; Prefect installs this for SIGTERM."""
        del args, kwargs
        if self._is_asked_to_stop or self._loop is None or not self.started:
            raise KeyboardInterrupt
        self._is_asked_to_stop = True
        loop, context = self._loop, contextvars.copy_context()  # with the address of the server

        def ask() -> None:
            loop.call_soon_threadsafe(lambda: loop.create_task(self.astop()), context=context)

        # A thread: the check of the server must not delay the loop.
        threading.Thread(target=self._stop, args=(ask,), name="stop", daemon=True).start()

    def serve(self) -> None:
        """Serve until a signal comes; call it in the main thread.

        All of its log is on the server when this returns: the server may be stopped next.
        """
        earlier = signal.signal(signal.SIGINT, self.handle_sigterm)
        try:
            asyncio.run(self.start())
        finally:
            signal.signal(signal.SIGINT, earlier)
            APILogWorker.drain_all(timeout=_LOG_TIMEOUT_S)

    def _stop(self, ask: Callable[[], None]) -> None:
        runs = _processes_of_runs()
        if self._is_server_there():
            ask()
            _end(runs, politely=False)
            return
        click.echo(
            f"error: the Prefect server at {without_credentials(self._api_url)} does not answer; "
            "its runs are ended without it. The next `ferflow up` marks them as crashed",
            err=True,
        )
        _end(runs)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    def _is_server_there(self) -> bool:
        """Ask for a few seconds: it may be busy, or starting again."""
        until_s = time.monotonic() + _PATIENCE_S
        while not answers(self._api_url):
            if time.monotonic() > until_s:
                return False
            time.sleep(0.2)
        return True


def _processes_of_runs() -> list[psutil.Process]:
    """The processes of the served runs, and what they started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "PREFECT__FLOW_RUN_ID" in child.environ():
                found.append(child)
    return found


def _end(processes: list[psutil.Process], *, politely: bool = True) -> None:
    """Kill what does not end within some seconds.

    Args:
        processes: of the runs.
        politely: ask them to end first; otherwise somebody else does.
    """
    for process in processes if politely else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    # Not psutil's wait: it would take the exit code from the loop.
    until_s = time.monotonic() + _GRACE_S
    while (left := [one for one in processes if is_alive(one)]) and time.monotonic() < until_s:
        time.sleep(0.1)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
