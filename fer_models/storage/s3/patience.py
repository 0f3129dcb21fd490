"""Say what a person waits for while an object store does not answer."""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from fer_models.progress import warn

SAID_AFTER_S = 30.0
_STAGE = "store"
_is_watched: contextvars.ContextVar[bool] = contextvars.ContextVar("ferflow_s3", default=False)


@contextmanager
def waiting_for(endpoint: str, subject: str) -> Iterator[None]:
    """Warn once if the block takes `SAID_AFTER_S` seconds; requests inside others are not counted.

    Args:
        endpoint: the server that is asked.
        subject: what it is asked for, such as `store s3://bucket/prefix`.
    """
    if _is_watched.get():
        yield
        return
    text = (
        f"{subject}: no answer from {endpoint} yet, after {SAID_AFTER_S:.0f} s. Still trying; if "
        "it does not go on, see the log of the object store, or stop: the same command resumes"
    )
    # A copy: whoever listens to progress belongs to the context.
    context = contextvars.copy_context()
    timer = threading.Timer(SAID_AFTER_S, context.run, args=(warn, _STAGE, text))
    timer.daemon = True
    timer.start()
    token = _is_watched.set(True)
    try:
        yield
    finally:
        _is_watched.reset(token)
        timer.cancel()
