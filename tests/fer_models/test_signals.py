"""A library that sets a handler of SIGTERM does not replace ours."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from fer_models.signals import (
    Terminated,
    ended_by_sigterm,
    ignored_signals_sent_again,
    interruption_behind,
    own_sigterm_handler,
    signals_unwrapped,
)


class Stopped(BaseException):
    """Raised by our handler."""


def _ours(number: int, frame: FrameType | None) -> None:
    raise Stopped


def _of_a_library(number: int, frame: FrameType | None) -> None:
    sys.exit(number)


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    earlier = signal.signal(signal.SIGTERM, _ours)
    yield
    signal.signal(signal.SIGTERM, earlier)


def test_our_handler_is_back_after_the_block() -> None:
    with own_sigterm_handler():
        signal.signal(signal.SIGTERM, _of_a_library)
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_within_the_block_reaches_our_handler() -> None:
    with pytest.raises(Stopped):
        _be_signalled_within()


def _be_signalled_within() -> None:
    with own_sigterm_handler():
        signal.signal(signal.SIGTERM, _of_a_library)
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_signal_that_c_code_has_wrapped_is_raised_itself() -> None:
    with pytest.raises(Stopped), signals_unwrapped():
        raise SystemError("returned a result with an exception set") from Stopped()
    with pytest.raises(SystemError), signals_unwrapped():
        raise SystemError("another") from ValueError()
    with pytest.raises(SystemError), signals_unwrapped():
        raise SystemError("another")


class SignalledWhenDeleted:
    """Is signalled in `__del__`, where Python ignores what is raised."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("number", "raised"),
    [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)],
)
def test_a_signal_that_python_ignored_is_raised_again(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(raised):
        _be_signalled_where_it_is_ignored(number)


def _be_signalled_where_it_is_ignored(number: signal.Signals) -> None:
    with ended_by_sigterm(), ignored_signals_sent_again():
        SignalledWhenDeleted(number)
        time.sleep(60)


class BrokenWhenDeleted:
    """Raises in `__del__`."""

    def __del__(self) -> None:
        raise ValueError("broken")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_another_ignored_exception_is_reported_as_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: reported.append(ignored.exc_type))
    with ignored_signals_sent_again():
        BrokenWhenDeleted()
    assert reported == [ValueError]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Terminated])
def test_an_interruption_is_found_behind_the_error_of_a_clean_up(kind: type[BaseException]) -> None:
    interruption, clean_up, failure = kind(), ValueError("not set"), RuntimeError("failed")
    clean_up.__context__ = interruption
    failure.__cause__ = clean_up
    assert interruption_behind(failure) is interruption
    assert interruption_behind(ValueError("not set")) is None


def test_errors_that_refer_to_each_other_have_no_interruption_behind_them() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__context__, second.__context__ = second, first
    assert interruption_behind(first) is None
