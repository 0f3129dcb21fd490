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
_LOCKED = 423
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
        from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
        from prefect.concurrency.sync import concurrency

        # Prefect logs each refused attempt as an error, so one is made only for a free slot. It
        # has no time-out: a slot that the server grants after one is lost until its lease ends.
        if not _has_free_slot():
            return False
        slot = concurrency(
            LIMIT_NAME, max_retries=0, strict=True, raise_on_lease_renewal_failure=False
        )
        try:
            self._taken.enter_context(_in_own_thread(slot))
        except ConcurrencySlotAcquisitionError as error:
            if not _was_taken(error):
                raise
            return False  # another run was faster
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


@contextmanager
def _in_own_thread(block: AbstractContextManager[None]) -> Iterator[None]:
    """Enter and leave `block` in a thread of its own.

    Entered in a task, Prefect's slot was free again when that task ended, and the next member
    trained without one.
    """
    from prefect.context import SettingsContext

    entered, leave = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    current = SettingsContext.get()
    assert current is not None

    def hold() -> None:
        try:
            with SettingsContext(profile=current.profile, settings=current.settings), block:
                entered.set()
                leave.wait()
        except BaseException as error:  # noqa: BLE001 - raised in the waiting thread
            failures.append(error)
        finally:
            entered.set()

    thread = threading.Thread(target=hold, name="training-slot", daemon=True)
    thread.start()
    entered.wait()
    if failures:
        raise failures[0]
    try:
        yield
    finally:
        leave.set()
        thread.join()


def _has_free_slot() -> bool:
    """Whether the limit on the server has a free slot; it is created if it does not exist."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            limit = client.read_global_concurrency_limit_by_name(LIMIT_NAME)
        except ObjectNotFound:
            with contextlib.suppress(ObjectAlreadyExists):  # another run was faster
                client.create_global_concurrency_limit(
                    GlobalConcurrencyLimitCreate(name=LIMIT_NAME, limit=1)
                )
            return True
    return not limit.active or limit.active_slots < limit.limit


def _was_taken(error: Exception) -> bool:
    response = getattr(error.__cause__, "response", None)
    return response is not None and response.status_code == _LOCKED


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
