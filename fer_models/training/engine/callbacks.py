"""Callback that records the training curve, the best weights and a checkpoint to resume from."""

import math
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from fer_models.progress import warn
from fer_models.training.engine.ema import EMA
from fer_models.training.engine.module import FerModule
from fer_models.training.engine.results import EpochResult, StepResult

_REPORT_EVERY_STEPS = 50


class CheckpointCallback(Checkpoint):
    """Records the curve, the best weights so far and one checkpoint file.

    The file is replaced atomically after an epoch and holds everything needed to resume, including
    the best weights, so it is always consistent. Lightning's ModelCheckpoint keeps the best and
    the last epoch in two files, which a crash between the two writes leaves out of step.
    """

    def __init__(
        self,
        on_epoch: Callable[[EpochResult], None],
        checkpoint: Path | None = None,
        ema: EMA | None = None,
        patience: int = 0,
        on_step: Callable[[StepResult], None] | None = None,
        num_resizing_epochs: int = 0,
        checkpoint_every_s: float = 0.0,
    ) -> None:
        """Call `on_epoch` after every epoch, once its checkpoint is written.

        Args:
            on_epoch: called with the result of every finished epoch.
            checkpoint: file to write; None writes none.
            ema: its averaged weights are then validated and kept.
            patience: epochs without improvement before training stops; 0: never.
            on_step: called every 50 steps with the scores since the last call.
            num_resizing_epochs: first epochs, on smaller images, that are never the best.
            checkpoint_every_s: minimum seconds between two checkpoints; the last epoch has one.
        """
        self.curve: list[EpochResult] = []
        self.best: EpochResult | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.seconds = 0.0
        self._on_epoch = on_epoch
        self._checkpoint = checkpoint
        self._ema = ema
        self._patience = patience
        self._on_step = on_step
        self._num_resizing_epochs = num_resizing_epochs
        self._checkpoint_every_s = checkpoint_every_s
        self._saved_s = -math.inf
        self._has_failed_to_save = False
        self._reported_step = 0
        self._started_s = self._step_started_s = time.perf_counter()

    @property
    def callbacks(self) -> list[pl.Callback]:
        """This callback and the EMA, if there is one."""
        return [self] if self._ema is None else [self._ema, self]

    def on_train_start(self, trainer: pl.Trainer, *_: object) -> None:
        """Do not continue a training that early stopping had ended before it was interrupted."""
        self._stop_if_exhausted(trainer)

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the timer."""
        self._started_s = self._step_started_s = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object
    ) -> None:
        """Report the scores of the last steps."""
        assert isinstance(pl_module, FerModule)
        step = trainer.global_step
        # With gradient accumulation several batches make one step: report it once.
        if self._on_step is None or step % _REPORT_EVERY_STEPS or step == self._reported_step:
            return
        self._reported_step = step
        seen = pl_module.train_score.since_last().all_processes(pl_module.group)
        scores = {
            **seen.scores().named("train"),
            "learning_rate": _learning_rate(trainer),
            "images_per_s": seen.num_images / (time.perf_counter() - self._step_started_s),
        }
        self._step_started_s = time.perf_counter()
        self._on_step(StepResult(step=step, scores=scores))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Runs after validation: record the epoch, save a checkpoint, then report."""
        assert isinstance(pl_module, FerModule)
        result = self._epoch_result(trainer, pl_module)
        self.curve.append(result)
        full_size = result.epoch > self._num_resizing_epochs
        if full_size and (self.best is None or result.score > self.best.score):
            self.best = result
            self.best_weights = copied_weights(self._validated_network(pl_module))
        self._stop_if_exhausted(trainer)
        self._save_checkpoint(trainer)
        self._on_epoch(result)

    @property
    def state_key(self) -> str:
        """Its key in a checkpoint, the same for subclasses."""
        return CheckpointCallback.__qualname__

    def state_dict(self) -> dict[str, Any]:
        """State of this callback for the checkpoint."""
        return {
            "curve": [result.model_dump() for result in self.curve],
            "best": self.best.model_dump() if self.best else None,
            "best_weights": self.best_weights,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.curve = [EpochResult.model_validate(row) for row in state_dict["curve"]]
        best = state_dict["best"]
        self.best = EpochResult.model_validate(best) if best else None
        self.best_weights = {
            name: weights.detach().cpu() for name, weights in state_dict["best_weights"].items()
        }
        self.seconds = state_dict["seconds"]

    def _validated_network(self, module: FerModule) -> torch.nn.Module:
        return module.network if self._ema is None else self._ema.network

    def _stop_if_exhausted(self, trainer: pl.Trainer) -> None:
        if self._patience and self.best and len(self.curve) - self.best.epoch >= self._patience:
            trainer.should_stop = True

    def _epoch_result(self, trainer: pl.Trainer, module: FerModule) -> EpochResult:
        elapsed_s = time.perf_counter() - self._started_s
        self.seconds += elapsed_s
        train_score = module.train_score.all_processes(module.group)
        module.require_finite(train_score.loss)
        validated = module.validation_score
        validation = (
            validated.all_processes(module.group).scores().named("validation")
            if validated.num_images
            else {}
        )
        return EpochResult(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            learning_rate=_learning_rate(trainer),
            images_per_s=train_score.num_images / max(elapsed_s, 1e-9),
            **train_score.scores().named("train"),
            **validation,
        )

    def _save_checkpoint(self, trainer: pl.Trainer) -> None:
        """Replace the checkpoint file, unless the last write was too recent.

        After the last epoch it always is: predictions follow, which may be interrupted, too.
        On a full disk the training goes on with the last complete checkpoint.
        """
        checkpoint = self._checkpoint
        is_last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        is_due = is_last or time.monotonic() - self._saved_s >= self._checkpoint_every_s
        if checkpoint is None or not is_due:
            return
        partial = checkpoint.with_suffix(".part")
        try:
            trainer.save_checkpoint(partial)
            with partial.open("rb") as stream:
                os.fsync(stream.fileno())
            partial.replace(checkpoint)
        except (OSError, RuntimeError) as error:  # torch's writer raises RuntimeError
            partial.unlink(missing_ok=True)
            if not self._has_failed_to_save:
                warn("train", _unsaved(checkpoint, error))
            self._has_failed_to_save = True
            return
        self._saved_s = time.monotonic()


def _unsaved(checkpoint: Path, error: Exception) -> str:
    return (
        f"{checkpoint}: can't write the checkpoint ({error}); the training goes on, and would "
        "resume from an earlier epoch or the beginning; free some space, or set XDG_CACHE_HOME to "
        "a folder on another disk"
    )


def _learning_rate(trainer: pl.Trainer) -> float:
    return float(trainer.optimizers[0].param_groups[0]["lr"])


def copied_weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """Copy of the network's state dict on the CPU."""
    return {
        name: value.detach().cpu().clone().contiguous()
        for name, value in network.state_dict().items()
    }


class KeepSigterm(pl.Callback):
    """Keeps a handler of SIGTERM that was set before the training.

    Lightning replaces it by one that calls both. Prefect then no longer recognises its own, and a
    run that a person cancels is first reported as crashed.
    """

    def on_fit_start(self, *_: object) -> None:
        """Remember the handler; Lightning sets its own after this."""
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, *_: object) -> None:
        """Set it again."""
        if callable(self._handler) and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)
