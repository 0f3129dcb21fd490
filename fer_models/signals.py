"""Signals whose handlers are ours, although a library sets its own."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_AGAIN_AFTER_S = 0.1


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


def interruption_behind(error: BaseException) -> KeyboardInterrupt | Terminated | None:
    """The Ctrl-C or SIGTERM during whose handling an error was raised, if that is its origin.

    Libraries that clean up after an interruption fail at times, and raise their own error instead.
    """
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        if isinstance(current, KeyboardInterrupt | Terminated):
            return current
        seen.add(id(current))
        current = current.__cause__ or current.__context__
    return None


@contextmanager
def ignored_signals_sent_again() -> Iterator[None]:
    """Send Ctrl-C or SIGTERM again if it was lost: C code prints and ignores exceptions at times.

    So does Python in `__del__` and in callbacks of weak references.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = {KeyboardInterrupt: signal.SIGINT, Terminated: signal.SIGTERM}
    main, before = threading.get_ident(), sys.unraisablehook

    def hook(ignored: "sys.UnraisableHookArgs") -> None:
        number = numbers.get(ignored.exc_type)
        if number is None:
            before(ignored)
            return
        # Not at once: what this hook raises is ignored as well.
        timer = threading.Timer(_AGAIN_AFTER_S, signal.pthread_kill, (main, number))
        timer.daemon = True
        timer.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


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
