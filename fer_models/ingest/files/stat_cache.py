"""Results computed from a file's content, reused while the file is unchanged.

A file counts as unchanged while its device, inode, size, modification time and change time are the
same. Clocks of file systems tick coarsely, so two writes in quick succession can leave all of these
equal. As in git's index ("racily clean" entries), a result is therefore stored only when the last
change of the file is some time ago.
"""

import threading
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")
_State = tuple[int, ...]

# FAT has the coarsest clock that is in use.
_MIN_AGE_NS = 2_000_000_000


class StatCache(Generic[T]):
    """Results by file, for the lifetime of the process.

    Values are shared between callers and must be immutable. Errors are never stored.

    Example:
        digests = StatCache[str](max_entries=1000)
        digests.get(path, lambda: sha256_of_file(path))  # reads the file
        digests.get(path, lambda: sha256_of_file(path))  # a single stat, unless it has changed
    """

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: dict[tuple[Hashable, ...], tuple[_State, T]] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, compute: Callable[[], T], *key: Hashable) -> T:
        """The stored result for the file as it is now, else that of `compute`.

        Args:
            path: the file; links are followed.
            compute: computes the result from the file's content.
            key: what else the result depends on.

        Raises:
            OSError: the file can't be accessed; and anything that `compute` raises.
        """
        # The state before reading: a write during `compute` makes the next look-up miss.
        state, is_settled = _state_of(path)
        full_key = (path.absolute(), *key)
        with self._lock:
            stored = self._entries.get(full_key)
        if stored is not None and stored[0] == state:
            return stored[1]
        result = compute()
        if is_settled:
            self._store(full_key, state, result)
        return result

    def _store(self, key: tuple[Hashable, ...], state: _State, result: T) -> None:
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = (state, result)
            while len(self._entries) > self._max_entries:
                del self._entries[next(iter(self._entries))]


def _state_of(path: Path) -> tuple[_State, bool]:
    """What identifies the file's content, and whether its last change is long enough ago."""
    now_ns, status = _now_ns(), path.stat()
    # The change time counts, too: `os.utime` and `cp -p` set the other one to the past.
    last_change_ns = max(status.st_mtime_ns, status.st_ctime_ns)
    state = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )
    return state, now_ns - last_change_ns >= _MIN_AGE_NS


def _now_ns() -> int:
    return time.time_ns()
