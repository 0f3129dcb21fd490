"""Who hears of a distributed training in the process that asked for it."""

from collections.abc import Callable
from dataclasses import dataclass

from fer_models.training.distributed.mailbox import Letter, Resumed
from fer_models.training.results import EpochResult, StepResult


@dataclass
class Listener:
    """Passes on each epoch and each step once.

    Workers that were lost begin again after the last checkpoint, and may tell an epoch again.
    """

    on_epoch: Callable[[EpochResult], None]
    on_step: Callable[[StepResult], None]
    on_resumed: Callable[[int], None]
    _last_epoch: int = 0
    _last_step: int = 0

    def hear(self, letter: Letter) -> None:
        """Pass a letter on."""
        if isinstance(letter, Resumed):
            self._last_epoch = max(self._last_epoch, letter.epochs)
            self.on_resumed(letter.epochs)
        elif isinstance(letter, StepResult) and letter.step > self._last_step:
            self._last_step = letter.step
            self.on_step(letter)
        elif isinstance(letter, EpochResult) and letter.epoch > self._last_epoch:
            self._last_epoch = letter.epoch
            self._last_step = max(self._last_step, letter.step)
            self.on_epoch(letter)
