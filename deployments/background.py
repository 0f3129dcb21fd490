"""Work beside that of the main thread, for the length of a block."""

import contextvars
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def in_background(name: str, work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Run `work` in a thread with the settings of this one: the same Prefect server.

    Args:
        name: of the thread.
        work: called with an event that is set at the end of the block; it should return then.
    """
    stop = threading.Event()
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(work, stop), name=name, daemon=True).start()
    try:
        yield
    finally:
        stop.set()
