"""The Lightning module: one network, its loss, its optimiser and its schedule.

B images of a batch, K classes.
"""

import math
from dataclasses import dataclass

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from fer_models.errors import TrainingError
from fer_models.training.batches import Batch, derived_seed
from fer_models.training.config import MemberConfig
from fer_models.training.optimizer import build_optimizer, one_cycle

_CHECK_EVERY_STEPS = 50


@dataclass
class RunningScore:
    """Sums over the images seen so far; kept on the device so that no step waits for it."""

    loss_sum: Tensor
    num_correct: Tensor
    num_images: int = 0

    @classmethod
    def empty(cls, device: torch.device) -> "RunningScore":
        """Nothing seen yet."""
        return cls(torch.zeros((), device=device), torch.zeros((), device=device))

    def add(self, loss: Tensor, logits_BK: Tensor, labels_B: Tensor) -> None:
        """Count one batch; `loss` is its mean."""
        self.loss_sum += loss.detach().float() * len(labels_B)
        self.num_correct += (logits_BK.detach().argmax(1) == labels_B).sum()
        self.num_images += len(labels_B)

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.loss_sum) / max(1, self.num_images)

    @property
    def accuracy(self) -> float:
        """Share of images whose largest logit is their class, 0..1."""
        return float(self.num_correct) / max(1, self.num_images)


class FerModule(pl.LightningModule):
    """Trains a network that returns logits with cross-entropy and a one-cycle schedule."""

    def __init__(self, network: nn.Module, member: MemberConfig, seed: int, num_steps: int) -> None:
        """Take the network over; `num_steps` is the length of the schedule in batches."""
        super().__init__()
        self.network = network
        self.member = member
        self.seed = seed
        self.num_steps = num_steps
        self.train_score = RunningScore.empty(torch.device("cpu"))
        self.validation_score = RunningScore.empty(torch.device("cpu"))

    def forward(self, images: Tensor) -> Tensor:
        """Logits B x K of inputs B x C x S x S."""
        logits: Tensor = self.network(images)
        return logits

    def on_train_epoch_start(self) -> None:
        """Seed dropout by the epoch's number, so that a resumed epoch draws what it would have."""
        torch.manual_seed(derived_seed(self.seed, self.current_epoch, 1))
        self.train_score = RunningScore.empty(self.device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Cross-entropy of one batch, labels smoothed."""
        images, labels = batch
        logits = self(images)
        loss = functional.cross_entropy(
            logits.float(), labels, label_smoothing=self.member.training.label_smoothing
        )
        self.train_score.add(loss, logits, labels)
        # Looking at a number makes a GPU wait for it: not in every step.
        if batch_idx % _CHECK_EVERY_STEPS == 0:
            self.require_finite(float(loss.detach()))
        return loss

    def on_validation_epoch_start(self) -> None:
        """Start counting anew."""
        self.validation_score = RunningScore.empty(self.device)

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
        warmup = self.member.training.warmup_fraction
        schedule = LambdaLR(optimizer, lambda step: one_cycle(step, self.num_steps, warmup))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
