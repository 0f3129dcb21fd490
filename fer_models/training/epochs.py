"""What is kept of every epoch: its numbers, the best weights, and a checkpoint to go on from."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pydantic import BaseModel, ConfigDict
from pytorch_lightning.callbacks import Checkpoint
from torch import Tensor

from fer_models.training.module import FerModule


class EpochResult(BaseModel):
    """One line of the training curve; losses are cross-entropies, accuracies 0..1."""

    model_config = ConfigDict(frozen=True)
    epoch: int
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float
    images_per_s: float

    def __str__(self) -> str:
        """For a line of progress."""
        return f"loss {self.train_loss:.3f}, validation accuracy {self.validation_accuracy:.3f}"

    @property
    def score(self) -> tuple[float, float]:
        """Larger is better: the accuracy decides, then the lower loss."""
        loss = self.validation_loss
        return self.validation_accuracy, -loss if math.isfinite(loss) else -math.inf


class EpochKeeper(Checkpoint):
    """Follows a training: the curve, the best weights so far, and one checkpoint file.

    The file is replaced whole after every epoch and holds everything that a restarted training
    needs, the best weights too, so two files never tell different stories.
    """

    def __init__(
        self, on_epoch: Callable[[EpochResult], None], checkpoint: Path | None = None
    ) -> None:
        """Tell every finished epoch to `on_epoch`, after it was written to `checkpoint`."""
        self.curve: list[EpochResult] = []
        self.best: EpochResult | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.seconds = 0.0
        self._on_epoch = on_epoch
        self._checkpoint = checkpoint
        self._started_s = time.perf_counter()

    def on_train_epoch_start(self, *_: object) -> None:
        """Start the clock."""
        self._started_s = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Runs after validation: write the epoch down, then tell it."""
        assert isinstance(pl_module, FerModule)
        pl_module.require_finite(pl_module.train_score.loss)
        result = self._measure(trainer, pl_module)
        self.curve.append(result)
        if self.best is None or result.score > self.best.score:
            self.best = result
            self.best_weights = copied_weights(pl_module.network)
        if self._checkpoint is not None:
            self._save(trainer, self._checkpoint)
        self._on_epoch(result)

    def state_dict(self) -> dict[str, Any]:
        """What the checkpoint keeps of this callback."""
        return {
            "curve": [result.model_dump() for result in self.curve],
            "best": self.best.model_dump() if self.best else None,
            "best_weights": self.best_weights,
            "seconds": self.seconds,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.curve = [EpochResult.model_validate(line) for line in state_dict["curve"]]
        best = state_dict["best"]
        self.best = EpochResult.model_validate(best) if best else None
        self.best_weights = {
            name: weights.detach().cpu() for name, weights in state_dict["best_weights"].items()
        }
        self.seconds = state_dict["seconds"]

    def _measure(self, trainer: pl.Trainer, module: FerModule) -> EpochResult:
        elapsed_s = time.perf_counter() - self._started_s
        self.seconds += elapsed_s
        train, validation = module.train_score, module.validation_score
        return EpochResult(
            epoch=trainer.current_epoch + 1,
            train_loss=train.loss,
            train_accuracy=train.accuracy,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            learning_rate=float(trainer.optimizers[0].param_groups[0]["lr"]),
            images_per_s=train.num_images / max(elapsed_s, 1e-9),
        )

    @staticmethod
    def _save(trainer: pl.Trainer, checkpoint: Path) -> None:
        part = checkpoint.with_suffix(".part")
        trainer.save_checkpoint(part)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())
        part.replace(checkpoint)


def copied_weights(network: torch.nn.Module) -> dict[str, Tensor]:
    """The network's state as CPU tensors of their own."""
    return {
        name: value.detach().cpu().clone().contiguous()
        for name, value in network.state_dict().items()
    }
