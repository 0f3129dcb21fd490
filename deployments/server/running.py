"""One `ferflow up` for a place: a lock, and the address by which other commands find it."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fer_models.errors import ConfigError

_LOCK = "up.lock"
_FACTS = "up.json"


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock of a place while the block runs; the end of the process releases it.

    Raises:
        ConfigError: another `ferflow up` runs there; says where.
    """
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            facts = _read(home)
            where = f" at {facts['ui']} (process {facts['pid']})" if facts else ""
            raise ConfigError(
                f"`ferflow up` already runs for {home}{where}; use it, stop it first, or choose "
                "another place with PREFECT_HOME"
            ) from error
        try:
            yield
        finally:
            (home / _FACTS).unlink(missing_ok=True)


def write_facts(home: Path, facts: dict[str, Any]) -> None:
    """Say where this `ferflow up` can be reached; without secrets."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = home / _FACTS
    part = home / f"{_FACTS}.{os.getpid()}"
    part.write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")
    part.rename(path)


def running_facts(home: Path) -> dict[str, Any] | None:
    """The facts of a `ferflow up` that runs for this place, or None."""
    if not (home / _LOCK).exists():
        return None
    with (home / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return _read(home)
    return None


def _read(home: Path) -> dict[str, Any] | None:
    try:
        facts: dict[str, Any] = json.loads((home / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return facts
