"""Progress of long work, told to whoever listens (a terminal bar, a Prefect log, nobody).

The listener is a context variable, so library code reports without knowing of any of them:

    with listening(bar.update):
        ingest_sources(...)        # calls report("ingest", 100, 35887, "images")
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a stage is: `done` of `total` units (0 when unknown), and a remark."""

    stage: str
    done: float
    total: float
    unit: str = ""
    note: str = ""

    @property
    def amount(self) -> str:
        """Such as `3/8 epochs`; empty for the mere begin or end of a stage."""
        if not (self.total and self.unit):
            return ""
        return f"{self._short(self.done)}/{self._short(self.total)} {self.unit}"

    @staticmethod
    def _short(number: float) -> str:
        return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


Listener = Callable[[Progress], None]

_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("ferflow_progress", default=())


def report(stage: str, done: float, total: float = 0, unit: str = "", note: str = "") -> None:
    """Tell every listener of the current context how far `stage` is."""
    for listener in _listeners.get():
        listener(Progress(stage, done, total, unit, note))


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let `listener` hear every report made inside the block."""
    token = _listeners.set((*_listeners.get(), listener))
    try:
        yield
    finally:
        _listeners.reset(token)
