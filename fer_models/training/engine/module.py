"""Lightning module: a network with its loss, optimiser and schedule.

B images of a batch, K classes.
"""

import math
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.core.optimizer import LightningOptimizer
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import LambdaLR

from fer_models.errors import TrainingError
from fer_models.models.freezing import freeze_features
from fer_models.training.config import MemberConfig
from fer_models.training.engine.cuda_graphs import GraphedForward, can_graph, forward_pass
from fer_models.training.engine.running_metrics import RunningMetrics
from fer_models.training.inputs.batches import Batch, derived_seed
from fer_models.training.objective.auxiliary_head import AuxiliaryHead
from fer_models.training.objective.losses import class_loss
from fer_models.training.objective.targets import class_part
from fer_models.training.optim.optimizer import (
    build_optimizer,
    build_schedule,
    restore_config_hyperparams,
)
from fer_models.training.optim.sharpness import at_neighbour
from fer_models.training.process_group import SINGLE_PROCESS, ProcessGroup

_CHECK_EVERY_STEPS = 50


class FerModule(pl.LightningModule):
    """Trains a network that returns logits, with cross-entropy."""

    class_weights_K: Tensor | None

    def __init__(
        self,
        network: nn.Module,
        member: MemberConfig,
        seed: int,
        num_steps: int,
        class_weights_K: Tensor | None = None,
        auxiliary_head: AuxiliaryHead | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        """Wrap the network; `num_steps` is the length of the schedule in optimiser steps.

        With an `auxiliary_head` the targets are B x (K + V), see `training_targets`.
        """
        super().__init__()
        self.network = network
        self.member = member
        self.seed = seed
        self.num_steps = num_steps
        self.group = group
        self.register_buffer("class_weights_K", class_weights_K, persistent=False)
        self.auxiliary_head = auxiliary_head
        with_features = auxiliary_head is not None
        self._graphed = (
            GraphedForward(network, member, with_features=with_features)
            if can_graph(member)
            else None
        )
        self.train_score = RunningMetrics()
        self.validation_score = RunningMetrics()
        self._counts_scores = True

    def forward(self, images: Tensor) -> Tensor:
        """Logits B x K of inputs B x C x S x S."""
        logits: Tensor = self.network(images)
        return logits

    def on_train_start(self) -> None:
        """Apply the config: a checkpoint may come from other settings (population-based tuning)."""
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LambdaLR)
        optimizer = schedule.optimizer
        restore_config_hyperparams(optimizer, schedule, self.network, self.member.training)

    def on_train_epoch_start(self) -> None:
        """Seed dropout by epoch, so that a resumed epoch draws the same numbers."""
        torch.manual_seed(derived_seed(self.seed, self.current_epoch, 1, *self._rank_seed))
        frozen_epochs = self.member.training.frozen_epochs
        if frozen_epochs:
            freeze_features(self.network, frozen=self.current_epoch < frozen_epochs)
        self.train_score = RunningMetrics()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Label-smoothed cross-entropy of a batch plus the auxiliary loss, which no score shows."""
        images, targets = batch
        logits, *features = self._forward_pass(images)
        labels = class_part(targets, logits.shape[1])
        loss = class_loss(logits.float(), labels, self.member.training, self.class_weights_K)
        if self._counts_scores:
            self.train_score.add(loss, logits, labels)
        if self.auxiliary_head is not None:
            votes_loss = self.auxiliary_head.loss(features[0], targets)
            loss = loss + self.member.training.auxiliary_head_weight * votes_loss
        # Reading the value synchronises the GPU, so not in every step.
        if batch_idx % _CHECK_EVERY_STEPS == 0:
            self.require_finite(float(loss.detach()))
        return loss if self.group.world_size == 1 else loss * self._loss_scale(targets)

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: torch.optim.Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        """Step by the gradients of this batch, with SAM by those at the sharpest neighbour."""
        radius = self.member.training.sharpness_radius
        if radius and optimizer_closure is not None:
            optimizer_closure()  # gradients of the weights as they are
            optimizer_closure = at_neighbour(
                self.parameters(), radius, self._without_scores(optimizer_closure)
            )
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    def _without_scores(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        """The second pass over a batch: its images are counted, and scored, in the first."""

        def second_pass() -> Any:
            self._counts_scores = False
            try:
                return closure()
            finally:
                self._counts_scores = True

        return second_pass

    def on_validation_epoch_start(self) -> None:
        """Reset the scores; all processes validate the network of the first one."""
        self.validation_score = RunningMetrics()
        # DDP averages gradients, but not running statistics.
        self.group.broadcast_tensors(self.network.buffers())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        """Cross-entropy without smoothing or class weights, in the training precision."""
        images, labels = batch
        logits = self(images).float()
        self.validation_score.add(functional.cross_entropy(logits, labels), logits, labels)

    def _forward_pass(self, images: Tensor) -> tuple[Tensor, ...]:
        if self._graphed is not None and images.is_cuda:
            return self._graphed(images)
        return forward_pass(self.network, images, with_features=self.auxiliary_head is not None)

    @property
    def _rank_seed(self) -> tuple[int, ...]:
        """Gives every process its own random numbers."""
        return () if self.group.world_size == 1 else (self.group.rank,)

    def _loss_scale(self, targets: Tensor) -> Tensor:
        """Factor that makes the mean loss over processes equal that of the whole batch.

        Processes may differ by one row, and with class weights in the weight of their rows.
        """
        # Of the losses only the cross-entropy is a mean over the weights of its rows.
        is_mean_of_weights = self.member.training.loss == "cross_entropy" and targets.ndim == 1
        weighted = self.class_weights_K is not None and is_mean_of_weights
        amount = torch.tensor(float(len(targets)), device=targets.device)
        if weighted and self.class_weights_K is not None:
            amount = self.class_weights_K[targets].sum()
        return amount * self.group.world_size / self.group.all_reduce(amount)

    def require_finite(self, loss: float) -> None:
        """Stop a training whose loss has diverged.

        Raises:
            TrainingError: the loss is infinite or NaN.
        """
        if math.isfinite(loss):
            return
        training = self.member.training
        rate = training.learning_rate
        remedies = [f"training.learning_rate={rate / 10:.2g} (now {rate:g})"]
        if training.gradient_clip != 1:
            remedies.append(f"training.gradient_clip=1 (now {training.gradient_clip:g})")
        if training.precision != "32-true":
            remedies.append(f"training.precision=32-true (now {training.precision})")
        raise TrainingError(
            f"{self.member.name}: the training loss became {loss} in epoch "
            f"{self.current_epoch + 1} of {training.epochs}; try {' or '.join(remedies)}"
        )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimiser and its schedule, which is stepped after every optimiser step."""
        parts = (
            [self.network] if self.auxiliary_head is None else [self.network, self.auxiliary_head]
        )
        optimizer = build_optimizer(nn.ModuleList(parts), self.member.training)
        schedule = build_schedule(optimizer, self.member.training, self.num_steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
