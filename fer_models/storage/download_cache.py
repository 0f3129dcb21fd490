"""The cache of downloaded files on a machine: named by sha256, fetched once by all processes."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_models.errors import StoreError
from fer_models.private_folder import make_private
from fer_models.storage.backend import FileEntry, damaged_message, matches


def default_cache_dir() -> Path:
    """The local cache of remote files (`$XDG_CACHE_HOME/ferflow`)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ferflow"


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Create a folder of the cache and hold its lock, which leaves no lock file.

    Raises:
        StoreError: the cache can't be written.
    """
    lock = _opened(folder)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)  # releases it


def cached_download(
    folder: Path, url: str, entry: FileEntry, download: Callable[[Path], None]
) -> Path:
    """The cached file of an entry; downloaded if it is missing or damaged.

    Processes that need the same file at the same time wait for the first one's download.

    Args:
        folder: the cache.
        url: the store, for messages.
        entry: the file; a download that does not match it is rejected.
        download: writes the file's bytes to a path.

    Raises:
        StoreError: the cache can't be written, or the download does not match the entry.
    """
    target = folder / entry.sha256[:2] / entry.sha256
    lock = _opened(target.parent)
    try:
        if target.is_file() and matches(target, entry):
            return target
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (target.is_file() and matches(target, entry)):
            _download(target, url, entry, download)
        return target
    finally:
        os.close(lock)  # releases it


def _opened(folder: Path) -> int:
    """A file descriptor of the folder, which is created."""
    try:
        make_private(folder)
        return os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreError(
            f"{folder}: can't cache downloads: {error}; set XDG_CACHE_HOME to a folder that "
            "this user may write"
        ) from error


def _download(target: Path, url: str, entry: FileEntry, download: Callable[[Path], None]) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        part = Path(scratch) / "part"
        download(part)
        if not matches(part, entry):
            raise StoreError(damaged_message(url, entry))
        part.replace(target)
