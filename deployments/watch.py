"""Watch the sources of the data, and say when their content changes.

A poll compares names, sizes and times of the files, which opens none of them; of a bucket, it lists
keys, sizes and ETags. Only when these differ, and have stopped changing, the content is hashed. So
a touched file or one that is being copied is no change, and a source that is missing for a while is
waited for.
"""

import logging
import math
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from fer_models.errors import ConfigError, FerError
from fer_models.ingest.archive_member import SEPARATOR
from fer_models.ingest.config import SYNTHETIC, DataConfig
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.files.remote import is_url, object_states
from fer_models.ingest.findings import Findings
from fer_models.ingest.ingest import fingerprint_sources
from fer_models.user_input import user_path

DEFAULT_POLL_S = 60.0
POLL_VARIABLE = "FERFLOW_WATCH_POLL_S"
_LOGGER = logging.getLogger(__name__)
_FileState = tuple[str | int, ...]
Signature = tuple[_FileState, ...]


def poll_interval_s() -> float:
    """Seconds between two looks at the sources: FERFLOW_WATCH_POLL_S, else 60.

    Raises:
        ConfigError: the variable is not a positive number.
    """
    value = os.environ.get(POLL_VARIABLE, "")
    if not value:
        return DEFAULT_POLL_S
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError(
            f"{POLL_VARIABLE}={value}: expected seconds, such as 60; correct it or unset it"
        )
    return seconds


def watch_sources(
    sources: DataConfig,
    poll_s: float,
    on_change: Callable[[str], None],
    stop: threading.Event,
    seed: int = 0,
) -> None:
    """Call `on_change` with the new fingerprint whenever the content of the sources changes.

    Returns when `stop` is set. The content at the start is no change; if a source is missing then,
    its arrival is.

    Args:
        sources: the sources, as `ingest` reads them.
        poll_s: seconds between two looks; a change is reported after two equal ones.
        on_change: called with the fingerprint. Its errors are logged, and the watch goes on.
        stop: set by another thread to end the watch.
        seed: of synthetic faces.

    Example:
        stop = threading.Event()
        arguments = (config.data, 60.0, emit_data_changed, stop)
        threading.Thread(target=watch_sources, args=arguments, daemon=True).start()
    """
    watch = SourceWatch(sources, seed)
    while not stop.wait(poll_s):
        fingerprint = watch.poll()
        if fingerprint is None:
            continue
        try:
            on_change(fingerprint)
        except Exception:
            _LOGGER.exception("the change of the data could not be reported")


def emit_data_changed(fingerprint: str) -> None:
    """Send `ferflow.data.changed` to the configured Prefect server."""
    from tasks.events import DATA_CHANGED, emit

    emit(DATA_CHANGED, "ferflow.data", "watched sources", {"fingerprint": fingerprint})


class SourceWatch:
    """The state of a watch between two polls."""

    def __init__(self, sources: DataConfig, seed: int = 0) -> None:
        """Take the present content as known; it is read now."""
        self._sources = sources
        self._seed = seed
        self._seen = self._known = self._signature()
        self._fingerprint = self._content() if self._known is not None else None

    def poll(self) -> str | None:
        """The new fingerprint if the content has changed and is stable, else None."""
        signature = self._signature()
        is_stable = signature == self._seen
        self._seen = signature
        if signature is None or not is_stable or signature == self._known:
            return None
        fingerprint = self._content()
        if fingerprint is None or self._signature() != signature:
            return None  # it changed again while it was read
        self._known = signature
        if fingerprint == self._fingerprint:
            return None
        self._fingerprint = fingerprint
        return fingerprint

    def _signature(self) -> Signature | None:
        """What tells that files and objects have changed; None while a source is missing."""
        states: list[_FileState] = []
        try:
            for source in self._sources.sources:
                if is_url(source):
                    states += _object_states(source)
                elif source != SYNTHETIC:
                    states += _file_states(_path_of(source))
        except (OSError, FerError):
            return None
        return tuple(states)

    def _content(self) -> str | None:
        """The fingerprint; None while the sources can't be read."""
        try:
            return fingerprint_sources(self._sources, self._seed)
        except (FerError, OSError) as error:
            _LOGGER.warning("the watched data can't be read yet: %s", str(error).splitlines()[0])
            return None


def _path_of(source: str) -> Path:
    path = user_path(source)
    if os.path.lexists(path):
        return path
    return user_path(source.partition(SEPARATOR)[0])


def _file_states(path: Path) -> list[_FileState]:
    """The state of a file, or of all files below a folder.

    Raises:
        OSError: the path does not exist or can't be read.
    """
    if not stat.S_ISDIR(path.stat().st_mode):
        return [_state(path)]
    findings = Findings(str(path))
    files = list_files(path, findings)
    if findings.faults:
        raise OSError(findings.faults[0])
    return [_state(path / file) for file in files]


def _object_states(url: str) -> list[_FileState]:
    """The states of the objects of a source in a bucket.

    Raises:
        FerError: there are none, or the bucket can't be used.
    """
    states = object_states(url.partition(SEPARATOR)[0])
    return [(url, key, state.size, state.etag) for key, state in states.items()]


def _state(path: Path) -> _FileState:
    status = path.lstat() if path.is_symlink() and not path.exists() else path.stat()
    return (str(path), status.st_size, status.st_mtime_ns, status.st_ino)
