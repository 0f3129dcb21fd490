"""The runner of `ferflow up`: a signal ends the served runs truthfully before it ends itself."""

import asyncio
import signal
from typing import Any

from prefect.logging.handlers import APILogWorker
from prefect.runner import Runner

_LOG_TIMEOUT_S = 5.0


class ServingRunner(Runner):
    """Prefect's runner, which by itself leaves runs `Running` for ever after Ctrl-C.

    On SIGINT or SIGTERM, the processes of all runs are ended and their runs become `Cancelled`, as
    if a person had cancelled them; a second signal ends at once.
    """

    _is_asked_to_stop = False

    def handle_sigterm(self, *args: Any, **kwargs: Any) -> None:
        """Stop in the runner's own loop; Prefect installs this for SIGTERM."""
        del args, kwargs
        if self._is_asked_to_stop or self._loop is None or not self.started:
            raise KeyboardInterrupt
        self._is_asked_to_stop = True
        loop = self._loop
        loop.call_soon_threadsafe(lambda: loop.create_task(self.astop()))

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
