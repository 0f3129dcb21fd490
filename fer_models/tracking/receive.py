"""Write the tracked run of work on another node."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from fer_models.storage.store import ArtifactStore
from fer_models.tracking.forward import Confusion, Logged, Metrics, RunStarted
from fer_models.tracking.track import Tracker, track_run


class ReceivedRun:
    """Turns the events of a `ForwardingTracker` into one tracked run."""

    def __init__(self, stack: ExitStack, store: ArtifactStore) -> None:
        self._stack = stack
        self._store = store
        self._run: Tracker | None = None
        self._last_step = 0

    def on_event(self, event: Any) -> None:
        """Write an event; a run that begins again after a loss is continued."""
        if isinstance(event, RunStarted):
            if self._run is None:
                run = track_run(
                    event.config, event.name, event.run_config, self._store, event.job_type
                )
                self._run = self._stack.enter_context(run)
        elif self._run is None:
            return
        elif isinstance(event, Metrics):
            if event.step >= self._last_step:  # steps repeated after a loss are dropped
                self._last_step = event.step
                self._run.log(event.metrics, event.step)
        elif isinstance(event, Confusion):
            self._run.log_confusion(event.counts_KK, event.classes)
        elif isinstance(event, Logged):
            log = self._run.used if event.relation == "used" else self._run.made
            log(event.ref)


@contextmanager
def received_run(store: ArtifactStore) -> Iterator[ReceivedRun]:
    """Write the run whose events arrive in this block; it has failed if the block fails.

    Args:
        store: the driver's store, which holds the artifacts that are logged.
    """
    with ExitStack() as stack:
        yield ReceivedRun(stack, store)
