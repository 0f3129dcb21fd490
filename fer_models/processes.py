"""This process: its cores, and a name that tells elsewhere whether it is gone."""

import os
import socket

_PREFIX = "process"


def process_tag() -> str:
    """A tag that names this process on this host, safe against reused process numbers."""
    import psutil

    process = psutil.Process()
    return f"{_PREFIX}:{socket.gethostname()}:{process.pid}:{int(process.create_time())}"


def is_dead(tag: str) -> bool:
    """Whether the tag names a process of this host that is gone; other tags are never dead."""
    import psutil

    parts = tag.split(":")
    if len(parts) != 4 or parts[0] != _PREFIX or parts[1] != socket.gethostname():
        return False
    try:
        return int(psutil.Process(int(parts[2])).create_time()) != int(parts[3])
    except psutil.NoSuchProcess:
        return True


def num_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
