"""Who is at work in a store: the marks of running runs, the lock of a collection, its clock.

All ages are differences of two times of the storage, so the clocks of machines don't matter.
"""

import contextvars
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

from fer_models.errors import StoreError
from fer_models.processes import is_dead, process_tag
from fer_models.storage.backend import Backend
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.usage import LOCK_KEY, LOCK_STALE_S, lock_of

RUNNING_FOLDER = "running"
_START, _BEAT = "start", "beat"
_BEAT_EVERY_S = 60.0
_DEAD_AFTER_S = 900.0
_RENEW_EVERY_S = 10.0
_SETTLE_S = 2.0
# Some storages tell times in whole seconds.
_RESOLUTION_S = 2.0


@contextmanager
def running_in(store: ArtifactStore, run_id: str) -> Iterator[None]:
    """Mark a run as running during the block: what it writes and uses is not collected.

    The mark is renewed every minute. It counts for a quarter of an hour after a killed process has
    renewed it last.

    Args:
        store: where the run works.
        run_id: unique in the store.

    Raises:
        StoreError: the store can't be written.
    """
    folder = f"{RUNNING_FOLDER}/{run_id}"
    store.write_bytes(f"{folder}/{_START}", process_tag().encode())
    store.write_bytes(f"{folder}/{_BEAT}", b"")
    end = threading.Event()
    context = contextvars.copy_context()
    thread = threading.Thread(
        target=context.run, args=(_beat, store, folder, end), name="store-mark", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        with suppress(StoreError):
            store.remove_folder(folder)


def _beat(store: ArtifactStore, folder: str, end: threading.Event) -> None:
    while not end.wait(_BEAT_EVERY_S):
        with suppress(StoreError):  # a store that is away for a while is waited for
            # A store that was deleted meanwhile is not begun anew.
            if store.has(f"{folder}/{_START}"):
                store.write_bytes(f"{folder}/{_BEAT}", b"")


def store_clock(backend: Backend) -> float:
    """The time now by the storage's clock, in seconds since 1970."""
    key = f".probe/{uuid.uuid4().hex}"
    backend.write(key, b"")
    try:
        return backend.listing(".probe")[key].modified_s
    except KeyError as error:
        raise StoreError(
            f"{backend.url}: an object that was just written is not listed; try again later"
        ) from error
    finally:
        backend.remove(key)


def earliest_start(backend: Backend, now_s: float) -> float:
    """When the oldest run that is still running has started; now if none is running."""
    marks = backend.listing(RUNNING_FOLDER)
    starts = [now_s]
    for key, start in marks.items():
        folder, _, name = key.rpartition("/")
        beat = marks.get(f"{folder}/{_BEAT}", start)
        if name != _START or now_s - beat.modified_s > _DEAD_AFTER_S:
            continue
        with suppress(StoreError):  # it has ended meanwhile
            if not is_dead(backend.read(key).decode()):
                starts.append(start.modified_s - _RESOLUTION_S)
    return min(starts)


class CollectionLock:
    """Held by one collection at a time; runs wait for it before they take an old artifact.

    Example:
        with CollectionLock(store.backend) as lock:
            ...  # lock.renew() at least every two minutes

    Raises:
        StoreError: another collection holds it, or has taken it over meanwhile.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._nonce = uuid.uuid4().hex
        self._renewed_at_s = 0.0

    def __enter__(self) -> Self:
        if not self._backend.create(LOCK_KEY, self._content()):
            self._take_over()
        self._renewed_at_s = time.monotonic()
        if self._backend.url.startswith("s3://"):
            time.sleep(_SETTLE_S)  # a store that tells late who has won, or what was written
        self._require_own()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(StoreError):
            if (lock_of(self._backend) or {}).get("nonce") == self._nonce:
                self._backend.remove(LOCK_KEY)

    def renew(self) -> None:
        """Show that this collection is alive, if the last time is some seconds ago."""
        if time.monotonic() - self._renewed_at_s < _RENEW_EVERY_S:
            return
        self._require_own()
        self._backend.write(LOCK_KEY, self._content())
        self._renewed_at_s = time.monotonic()

    def _take_over(self) -> None:
        """Replace the lock of a collection that died."""
        holder = str((lock_of(self._backend) or {}).get("process", ""))
        listed = self._backend.listing(LOCK_KEY.rpartition("/")[0]).get(LOCK_KEY)
        age_s = store_clock(self._backend) - listed.modified_s if listed else LOCK_STALE_S + 1
        if age_s <= LOCK_STALE_S and not is_dead(holder):
            raise StoreError(
                f"{self._backend.url}: another collection is running ({holder or 'unknown'}); wait "
                f"for its end. If it was killed, try again in {LOCK_STALE_S / 60:.0f} minutes"
            )
        self._backend.write(LOCK_KEY, self._content())

    def _require_own(self) -> None:
        if (lock_of(self._backend) or {}).get("nonce") != self._nonce:
            raise StoreError(
                f"{self._backend.url}: another collection has started; nothing more is deleted"
            )

    def _content(self) -> bytes:
        content = {
            "process": process_tag(),
            "nonce": self._nonce,
            "renewed_s": time.time(),
        }
        return json.dumps(content).encode()
