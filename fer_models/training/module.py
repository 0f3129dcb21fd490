"""The Lightning module: one network, its loss, its optimiser and its schedule.

B images of a batch, K classes.
"""

import math

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from fer_models.errors import TrainingError
from fer_models.models.freezing import freeze_features
from fer_models.training.batches import Batch, derived_seed
from fer_models.training.config import MemberConfig
from fer_models.training.optimizer import build_optimizer, build_schedule, hold_to_config
from fer_models.training.running_score import RunningScore

_CHECK_EVERY_STEPS = 50


class FerModule(pl.LightningModule):
    """Trains a network that returns logits with cross-entropy."""

    class_weights_K: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        member: MemberConfig,
        seed: int,
        num_steps: int,
        class_weights_K: Tensor | None = None,
    ) -> None:
        """Take the network over; `num_steps` is the length of the schedule in optimiser steps."""
        super().__init__()
        self.network = network
        self.member = member
        self.seed = seed
        self.num_steps = num_steps
        self.register_buffer("class_weights_K", class_weights_K, persistent=False)
        self.train_score = RunningScore()
        self.validation_score = RunningScore()

    def forward(self, images: Tensor) -> Tensor:
        """Logits B x K of inputs B x C x S x S."""
        logits: Tensor = self.network(images)
        return logits

    def on_train_start(self) -> None:
        """A checkpoint may come from a training with other settings (population based tuning)."""
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LambdaLR)
        optimizer = schedule.optimizer
        hold_to_config(optimizer, schedule, self.network, self.member.training)

    def on_train_epoch_start(self) -> None:
        """Seed dropout by the epoch's number, so that a resumed epoch draws what it would have."""
        torch.manual_seed(derived_seed(self.seed, self.current_epoch, 1))
        frozen_epochs = self.member.training.frozen_epochs
        if frozen_epochs:
            freeze_features(self.network, frozen=self.current_epoch < frozen_epochs)
        self.train_score = RunningScore()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy of one batch, labels smoothed."""
        images, targets = batch
        logits = self(images)
        loss = functional.cross_entropy(
            logits.float(),
            targets,
            weight=self.class_weights_K,
            label_smoothing=self.member.training.label_smoothing,
        )
        self.train_score.add(loss, logits, targets)
        # Looking at a number makes a GPU wait for it: not in every step.
        if batch_idx % _CHECK_EVERY_STEPS == 0:
            self.require_finite(float(loss.detach()))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start counting anew."""
        self.validation_score = RunningScore()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Plain cross-entropy in float32, as predictions are made later."""
        images, labels = batch
        with torch.autocast(self.device.type, enabled=False):
            logits = self(images)
        self.validation_score.add(functional.cross_entropy(logits, labels), logits, labels)

    def require_finite(self, loss: float) -> None:
        """Refuse a loss that has run away.

        Raises:
            TrainingError: it is infinite or not a number.
        """
        if math.isfinite(loss):
            return
        training = self.member.training
        raise TrainingError(
            f"{self.member.name}: the training loss became {loss} in epoch "
            f"{self.current_epoch + 1} of {training.epochs}; try training.learning_rate="
            f"{training.learning_rate / 10:.2g} (now {training.learning_rate:g}), "
            f"training.gradient_clip=1 (now {training.gradient_clip:g}) or "
            f"training.precision=32-true (now {training.precision})"
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser, and the schedule stepped after every batch."""
        optimizer = build_optimizer(self.network, self.member.training)
        schedule = build_schedule(optimizer, self.member.training, self.num_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
