"""A run that `ferflow up` has started ends with it, even if that is killed."""

import os
import signal
import threading
import time

PARENT_VARIABLE = "FERFLOW_UP_PID"
"""Set by `ferflow up` to its process id, for the processes of the runs that it starts."""
_POLL_S = 1.0
_GRACE_S = 10.0


def end_with_parent() -> threading.Thread | None:
    """End this process soon after the `ferflow up` that started it has ended.

    Without its server, the run could neither report nor be cancelled, and it would train beside the
    run that replaces it.

    Returns:
        The thread that watches; None if `ferflow up` is not the parent.
    """
    parent = os.getppid()
    if os.environ.get(PARENT_VARIABLE) != str(parent):
        return None
    thread = threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True)
    thread.start()
    return thread


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    os.kill(os.getpid(), signal.SIGTERM)  # Ray and the record of the run need a moment
    time.sleep(_GRACE_S)
    os.kill(os.getpid(), signal.SIGKILL)
