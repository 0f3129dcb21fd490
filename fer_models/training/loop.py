"""One training from start, or from its checkpoint, to the weights of its best epoch."""

import math
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from fer_models.errors import ConfigError
from fer_models.models.registry import build_network
from fer_models.training.averaging import WeightAverage
from fer_models.training.batches import EvalBatches, TrainBatches, derived_seed
from fer_models.training.config import MemberConfig
from fer_models.training.data import Preprocessing, TrainingData, preprocessing_for
from fer_models.training.epochs import EpochKeeper, EpochResult, StepResult
from fer_models.training.growth import epoch_size_px, num_growing_epochs, require_start_size
from fer_models.training.module import FerModule
from fer_models.training.runtime import (
    Precision,
    best_device,
    explained_memory,
    resolve_precision,
    training_runtime,
)
from fer_models.training.targets import loss_weights
from fer_models.training.vote_head import VoteHead

EVAL_BATCH_SIZE = 512


@dataclass(frozen=True)
class Fitted:
    """A trained network with the weights of its best epoch, on the CPU, in evaluation mode."""

    network: nn.Module
    preprocessing: Preprocessing
    curve: tuple[EpochResult, ...]
    best: EpochResult
    train_seconds: float


def fit(
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    on_epoch: Callable[[EpochResult], None],
    checkpoint: Path | None = None,
    on_step: Callable[[StepResult], None] | None = None,
) -> Fitted:
    """Train a member; the epoch with the best validation accuracy (ties: lower loss) is kept.

    Epochs on smaller images are validated on such, and never kept.

    The same data, member and seed give the same weights on one CPU configuration, whether or not
    the training was interrupted on the way.

    Args:
        data: training and validation images.
        member: network and training.
        seed: start of every random draw.
        on_epoch: hears of every finished epoch, after it was written to the checkpoint.
        checkpoint: file to go on from where it exists, and to keep the state in.
        on_step: hears how every 50 steps went.

    Raises:
        ConfigError: network and settings do not fit together or to this machine.
        TrainingError: the loss is not finite, or memory ran out.
    """
    device = best_device()
    precision = resolve_precision(member.training, device)
    preprocessing = preprocessing_for(member.network, data.train.images)
    preprocessing["test_time"] = member.test_time
    average = (
        WeightAverage(member.training.average_decay) if member.training.average_decay else None
    )
    keeper = EpochKeeper(
        on_epoch,
        checkpoint,
        average,
        member.training.patience,
        on_step,
        num_growing_epochs(member.training, member.network.image_size_px),
    )
    with training_runtime(derived_seed(seed), member.training.threads), explained_memory(member):
        network = build_network(member.network)
        _require_batches(network, member)
        require_start_size(network, member)
        network = network.to(memory_format=torch.channels_last)
        _run(network, data, member, seed, preprocessing, keeper, precision, device, checkpoint)
    assert keeper.best is not None
    network.cpu().load_state_dict(keeper.best_weights)
    network.eval()
    return Fitted(network, preprocessing, tuple(keeper.curve), keeper.best, keeper.seconds)


def epochs_done(checkpoint: Path) -> int:
    """How many epochs a checkpoint holds: 0 where there is none or it can't be read."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return int(state["epoch"]) + 1
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError):
        return 0


def _run(
    network: nn.Module,
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    preprocessing: Preprocessing,
    keeper: EpochKeeper,
    precision: Precision,
    device: torch.device,
    checkpoint: Path | None,
) -> None:
    training = member.training
    full_px = member.network.image_size_px
    train_batches = TrainBatches(
        data.train,
        preprocessing,
        config=training,
        seed=seed,
        epoch=lambda: module.current_epoch,
        device=device,
    )
    validation_batches = EvalBatches(
        data.validation,
        preprocessing,
        batch_size=EVAL_BATCH_SIZE,
        device=device,
        size_px=lambda: epoch_size_px(training, full_px, module.current_epoch),
    )
    num_steps = math.ceil(len(train_batches) / training.accumulate) * training.epochs
    weights_K = loss_weights(data.train.labels, training)
    asks_votes = training.vote_head_weight and data.train.num_with_votes
    vote_head = VoteHead(network) if asks_votes else None
    module = FerModule(network, member, seed, num_steps, weights_K, vote_head)
    trainer = _trainer(member, keeper, precision, device)
    resume = checkpoint is not None and epochs_done(checkpoint) > 0
    trainer.fit(
        module,
        train_dataloaders=train_batches,
        val_dataloaders=validation_batches,
        ckpt_path=checkpoint if resume else None,
        weights_only=True,
    )


def _trainer(
    member: MemberConfig, keeper: EpochKeeper, precision: Precision, device: torch.device
) -> pl.Trainer:
    return pl.Trainer(
        accelerator="gpu" if device.type == "cuda" else "cpu",
        devices=1,
        max_epochs=member.training.epochs,
        precision=precision,
        gradient_clip_val=member.training.gradient_clip or None,
        accumulate_grad_batches=member.training.accumulate,
        callbacks=keeper.callbacks,
        logger=False,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        inference_mode=True,
        # One process on this machine, also inside a cluster job that Lightning would detect.
        plugins=[LightningEnvironment()],
    )


def _require_batches(network: nn.Module, member: MemberConfig) -> None:
    norms = (nn.modules.batchnorm._BatchNorm,)  # noqa: SLF001
    if member.training.batch_size == 1 and any(isinstance(m, norms) for m in network.modules()):
        raise ConfigError(
            f"{member.name}: training.batch_size is 1, and {member.network.name} normalises over "
            "the batch, which takes at least 2; set training.batch_size=2 or more"
        )
