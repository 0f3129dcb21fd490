"""Events of a distributed training, from its workers to the callbacks of its driver."""

from collections.abc import Callable
from dataclasses import dataclass

from fer_models.errors import FerError
from fer_models.training.engine.results import EpochResult, StepResult


@dataclass(frozen=True)
class Resumed:
    """A worker group resumed from a checkpoint with this many finished epochs."""

    epochs: int


Event = EpochResult | StepResult | Resumed | FerError


@dataclass
class EventHandler:
    """Calls the callbacks once for every epoch and every reported step.

    After a loss the workers restart from the last checkpoint and may send events again; repeated
    ones are dropped.
    """

    on_epoch: Callable[[EpochResult], None]
    on_step: Callable[[StepResult], None]
    on_resumed: Callable[[int], None]
    _last_epoch: int = 0
    _last_step: int = 0

    def on_event(self, event: Event) -> None:
        """Call the callback for an event, unless it is a repeat."""
        if isinstance(event, Resumed):
            self._last_epoch = max(self._last_epoch, event.epochs)
            self.on_resumed(event.epochs)
        elif isinstance(event, StepResult) and event.step > self._last_step:
            self._last_step = event.step
            self.on_step(event)
        elif isinstance(event, EpochResult) and event.epoch > self._last_epoch:
            self._last_epoch = event.epoch
            self._last_step = max(self._last_step, event.step)
            self.on_epoch(event)
