"""Processor cores of this process, and tags by which others detect that it has ended."""

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_PREFIX = "process"
PROCESS_LABEL = "ferflow.process"
"""Label of a flow run: the tag of the process that runs it."""


def process_tag() -> str:
    """A tag that identifies this process on this host, even after its process id is reused."""
    import psutil

    process = psutil.Process()
    return f"{_PREFIX}:{socket.gethostname()}:{process.pid}:{int(process.create_time())}"


def is_dead(tag: str) -> bool:
    """Whether the tag is of a process of this host that has ended; False for any other tag."""
    import psutil

    parts = tag.split(":")
    if len(parts) != 4 or parts[0] != _PREFIX or parts[1] != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(parts[2]))
        is_another = int(process.create_time()) != int(parts[3])
        return is_another or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def is_alive(process: "psutil.Process") -> bool:
    """Whether the process runs; one that only waits to be reaped does not."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def num_cores() -> int:
    """Number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
