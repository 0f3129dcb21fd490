"""One training at a time: a slot that a run takes when its first training task starts.

It keeps the slot until it ends, or until it pauses for a person.

On a Prefect server the slot is a global concurrency limit, so it covers all deployments, workers
and command lines; its size can be changed there. A run without a server takes a file lock instead,
which the end of the process releases.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from fer_models.progress import report
from tasks.slot.lease import leased_slot, release_slots_of_killed_runs

_RETRY_S = 3.0
_WAITS = "waiting: another run is training, and only one may at a time"
_current: ContextVar["TrainingSlot | None"] = ContextVar("ferflow_training_slot", default=None)


class TrainingSlot:
    """The slot of one flow run: taken by whichever task trains first, kept until the release."""

    def __init__(self, lock_file: Path | None, announce: "Waiting") -> None:
        """Args: `lock_file` for a run without a server, else None; `announce` shows the wait."""
        self._lock_file = lock_file
        self._announce = announce
        self._taken = ExitStack()
        self._is_taken = False
        self._guard = threading.Lock()

    def take(self, stage: str = "train") -> None:
        """Wait until no other run trains; returns at once if this run has the slot.

        Args:
            stage: whose progress says that the run waits.
        """
        with self._guard:
            if self._is_taken:
                return
            if not self._is_free():
                with self._announce:
                    self._wait(stage)
            self._is_taken = True

    def release(self) -> None:
        """Let the next run train."""
        self._taken.close()
        self._is_taken = False

    def _wait(self, stage: str) -> None:
        report(stage, 0, note=_WAITS, notable=True)
        while not self._is_free():
            time.sleep(_RETRY_S)
        report(stage, 0, note="no longer waiting", notable=True)

    def _is_free(self) -> bool:
        """Take the slot if it is free."""
        if self._lock_file:
            return self._lock(self._lock_file)
        with ExitStack() as attempt:
            if not attempt.enter_context(leased_slot()):
                release_slots_of_killed_runs()
                return False
            self._taken.push(attempt.pop_all())
        return True

    def _lock(self, path: Path) -> bool:
        import fcntl

        path.parent.mkdir(parents=True, exist_ok=True)
        file: IO[str] = path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._taken.callback(file.close)
        return True


class Waiting(AbstractContextManager[None]):
    """Shows that a run waits: a no-op here, a state of the flow run in `flows.entry`."""

    def __exit__(self, *_: object) -> None:
        """The wait is over."""


@contextmanager
def training_slot(slot: TrainingSlot) -> Iterator[None]:
    """Make `slot` that of all tasks called in this block; it is released at the end."""
    token = _current.set(slot)
    try:
        yield
    finally:
        _current.reset(token)
        with contextlib.suppress(Exception):  # the lease of a lost server ends by itself
            slot.release()


def take_training_slot(stage: str) -> None:
    """Called by a task before it trains, with its name; a no-op outside a flow run."""
    slot = _current.get()
    if slot is not None:
        slot.take(stage)


def release_training_slot() -> None:
    """Called by a flow before it waits for a person; its next training takes the slot again."""
    slot = _current.get()
    if slot is not None:
        slot.release()
