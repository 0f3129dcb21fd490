"""How runs and a collection of a store keep out of each other's way.

A collection (`upkeep/collect.py`) removes what nothing needs. A run may find such an artifact and
take it instead of making it again. So a run marks what it takes (`used/<folder>/<id>`) and then
looks for the lock of a collection; a collection takes the lock and then looks for marks. Whichever
comes second sees the other: the run waits for the end of the collection and looks again.
"""

import json
import time
import uuid
from contextlib import suppress

from fer_models.errors import StoreError
from fer_models.processes import is_dead
from fer_models.progress import report
from fer_models.storage.artifact import artifact_faults
from fer_models.storage.backend import Backend

USED_FOLDER = "used"
LOCK_KEY = "upkeep/lock.json"
LOCK_STALE_S = 120.0
"""A lock that was not renewed for so long is that of a collection that died."""
_POLL_S = 0.5


def reuse(backend: Backend, prefix: str) -> bool:
    """Whether the artifact below a prefix is whole and can be taken; it is marked as used.

    Raises:
        StoreError: the storage can't be reached.
    """
    await_collection(backend)
    if artifact_faults(backend, prefix, deep=False):
        return False
    with suppress(StoreError):  # who can't write can't mark, but can read
        backend.write(f"{USED_FOLDER}/{prefix}", uuid.uuid4().hex.encode())
    if not await_collection(backend):
        return True
    return not artifact_faults(backend, prefix, deep=False)


def await_collection(backend: Backend) -> bool:
    """Wait until no collection runs; whether there was one."""
    seen, seen_at_s = lock_of(backend), time.monotonic()
    if seen is None:
        return False
    report("store", 0, note="waits for the end of a collection (ferflow store gc)")
    while True:
        now = lock_of(backend)
        if now is None or is_dead(str(now.get("process", ""))):
            return True
        if now != seen:
            seen, seen_at_s = now, time.monotonic()
        if time.monotonic() - seen_at_s > LOCK_STALE_S:
            return True
        time.sleep(_POLL_S)


def lock_of(backend: Backend) -> dict[str, object] | None:
    """The content of the lock of a collection; None without one."""
    if backend.size(LOCK_KEY) is None:
        return None
    try:
        content = json.loads(backend.read(LOCK_KEY))
    except (StoreError, ValueError):  # removed, or half written, at this moment
        return {}
    return content if isinstance(content, dict) else {}
