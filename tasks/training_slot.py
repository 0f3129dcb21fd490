"""One training at a time: a slot that a run takes when its first training task starts.

On a Prefect server the slot is the global concurrency limit `ferflow-training`, so it covers all
deployments, workers and command lines; its size can be changed there. A run without a server takes
a file lock instead, which the end of the process releases.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO

LIMIT_NAME = "ferflow-training"
_RETRY_S = 3.0
_ACQUIRE_TIMEOUT_S = 2.0
_current: ContextVar["TrainingSlot | None"] = ContextVar("ferflow_training_slot", default=None)


class TrainingSlot:
    """The slot of one flow run: taken once by whichever task trains first, kept until the end."""

    def __init__(self, lock_file: Path | None, announce: "Waiting") -> None:
        """Args: `lock_file` for a run without a server, else None; `announce` shows the wait."""
        self._lock_file = lock_file
        self._announce = announce
        self._taken = ExitStack()
        self._is_taken = False
        self._guard = threading.Lock()

    def take(self) -> None:
        """Wait until no other run trains; returns at once if this run has the slot."""
        with self._guard:
            if self._is_taken:
                return
            attempt = self._lock_file_free if self._lock_file else self._limit_free
            if not attempt():
                with self._announce:
                    while not attempt():
                        time.sleep(_RETRY_S)
            self._is_taken = True

    def release(self) -> None:
        """Let the next run train."""
        self._taken.close()
        self._is_taken = False

    def _limit_free(self) -> bool:
        from prefect.concurrency.sync import concurrency

        _ensure_limit()
        try:
            self._taken.enter_context(
                concurrency(LIMIT_NAME, timeout_seconds=_ACQUIRE_TIMEOUT_S, strict=True)
            )
        except TimeoutError:
            return False
        return True

    def _lock_file_free(self) -> bool:
        import fcntl

        assert self._lock_file is not None
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        file: IO[str] = self._lock_file.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._taken.callback(file.close)
        return True


def _ensure_limit() -> None:
    """Create the limit on the server; one that exists keeps its size."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            client.read_global_concurrency_limit_by_name(LIMIT_NAME)
        except ObjectNotFound:
            with contextlib.suppress(ObjectAlreadyExists):  # another run was faster
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=LIMIT_NAME, limit=1)
                )


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


def take_training_slot() -> None:
    """Called by a task before it trains; a no-op outside a flow run."""
    slot = _current.get()
    if slot is not None:
        slot.take()
