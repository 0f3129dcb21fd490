"""Signals whose handlers are ours, although a library sets its own."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Terminated(BaseException):
    """SIGTERM asked this process to end, as Ctrl-C does with KeyboardInterrupt."""


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise `Terminated` in the main thread, so that what is open is closed.

    A handler that was set before stays, and so does the default outside the main thread.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> None:
    raise Terminated


@contextmanager
def own_sigterm_handler() -> Iterator[None]:
    """Keep a handler of SIGTERM that was set before: Ray's would end a cancelled run as crashed."""
    handler = signal.getsignal(signal.SIGTERM)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    try:
        yield
    except SystemExit:  # by Ray's handler
        handler(signal.SIGTERM, None)
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)


@contextmanager
def signals_unwrapped() -> Iterator[None]:
    """Raise what a handler of a signal raised, where Ray's C code makes a `SystemError` of it.

    Otherwise a cancelled search would count as failed: handlers raise no `Exception`.
    """
    try:
        yield
    except SystemError as error:
        cause = error.__cause__
        if cause is None or isinstance(cause, Exception):
            raise
        raise cause from None
