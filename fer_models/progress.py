"""Progress events and warnings of long-running work.

Listeners (a terminal progress bar, a Prefect log) are registered in a context variable, so that
library code reports progress without depending on them:

    with listening(bar.update):
        ingest_sources(...)        # calls report("ingest", 100, 35887, "images")
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """Progress of a stage: `done` of `total` units (0 if unknown), and a note."""

    stage: str
    done: float
    total: float
    unit: str = ""
    note: str = ""
    is_warning: bool = False
    """Whether the note is something that the person should know or do."""
    is_notable: bool = False
    """Whether it is shown even if another event of its stage was shown just before."""

    @property
    def amount(self) -> str:
        """Such as `3/8 epochs`; empty if there is no total or unit."""
        if not (self.total and self.unit):
            return ""
        return f"{self._short(self.done)}/{self._short(self.total)} {self.unit}"

    @staticmethod
    def _short(number: float) -> str:
        return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


_LOGGER = logging.getLogger(__name__)
Listener = Callable[[Progress], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("ferflow_progress", default=())


def report(
    stage: str,
    done: float,
    total: float = 0,
    unit: str = "",
    note: str = "",
    *,
    notable: bool = False,
) -> None:
    """Send a progress event of `stage` to every listener of the current context."""
    for listener in _listeners.get():
        listener(Progress(stage, done, total, unit, note, is_notable=notable))


def warn(stage: str, text: str) -> None:
    """Send a warning to every listener of the current context; without one, log it."""
    listeners = _listeners.get()
    for listener in listeners:
        listener(Progress(stage, 1, 1, note=text, is_warning=True))
    if not listeners:
        _LOGGER.warning(text)


def repeat(event: Progress) -> None:
    """Send an event of another process to every listener; a warning stays one."""
    if event.is_warning:
        warn(event.stage, event.note)
        return
    amount = (event.done, event.total, event.unit)
    report(event.stage, *amount, event.note, notable=event.is_notable)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send every progress event inside the block to `listener`, too."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
