"""Run one training, from the start or from a checkpoint, to the weights of its best epoch."""

import math
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn

from fer_models.errors import ConfigError
from fer_models.models.factory import build_network
from fer_models.training.config import MemberConfig
from fer_models.training.engine.callbacks import CheckpointCallback, KeepSigterm
from fer_models.training.engine.depthwise import fast_depthwise
from fer_models.training.engine.ema import EMA
from fer_models.training.engine.module import FerModule
from fer_models.training.engine.results import EpochResult, StepResult
from fer_models.training.inputs.batches import (
    EvalBatches,
    TrainBatches,
    derived_seed,
    eval_batch_size,
)
from fer_models.training.inputs.data import Preprocessing, TrainingData, preprocessing_for
from fer_models.training.inputs.progressive_resizing import (
    epoch_size_px,
    num_resizing_epochs,
    require_start_size,
)
from fer_models.training.objective.auxiliary_head import AuxiliaryHead
from fer_models.training.objective.consistent import ConsistentTeachers
from fer_models.training.objective.targets import loss_weights, training_targets
from fer_models.training.process_group import SINGLE_PROCESS, ProcessGroup
from fer_models.training.runtime import (
    Precision,
    best_device,
    reraise_oom,
    resolve_precision,
    training_runtime,
)


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with the weights of its best epoch, on the CPU in evaluation mode."""

    network: nn.Module
    preprocessing: Preprocessing
    curve: tuple[EpochResult, ...]
    best: EpochResult
    train_seconds: float


@dataclass(frozen=True)
class DeviceContext:
    """Device and process group of one training process.

    `trainer_options` are arguments of Lightning's Trainer: accelerator, strategy and plugins.
    """

    device: torch.device
    trainer_options: Mapping[str, Any]
    group: ProcessGroup = SINGLE_PROCESS


def single_device_context() -> DeviceContext:
    """Context of a training in one process: the first GPU, else the CPU."""
    device = best_device()
    options = {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": 1,
        # One process, even inside a cluster job that Lightning would detect.
        "plugins": [LightningEnvironment()],
    }
    return DeviceContext(device, options)


def fit(
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    on_epoch: Callable[[EpochResult], None],
    checkpoint: Path | None = None,
    on_step: Callable[[StepResult], None] | None = None,
) -> TrainedNetwork:
    """Train a member and keep the epoch with the best validation accuracy (ties: lower loss).

    With `data.stop_epoch` that epoch is the last one and is kept. Epochs on smaller images
    (progressive resizing) are validated at that size and never kept.

    The same data, member and seed give the same weights on one CPU configuration, interrupted or
    not.

    Args:
        data: training and validation images.
        member: network and training settings.
        seed: seed of all random numbers.
        on_epoch: called after every finished epoch, once its checkpoint is written (if one is due,
            see `training.checkpoint_every_s`).
        checkpoint: file to resume from if it exists, and to save the state to.
        on_step: called every 50 steps with the scores since the last call.

    Raises:
        ConfigError: the network and settings do not fit each other or this machine.
        TrainingError: the loss is not finite, or memory runs out.
    """
    ema = build_ema(member)
    callback = CheckpointCallback(
        on_epoch,
        checkpoint,
        ema,
        member.training.patience,
        on_step,
        num_resizing_epochs(member),
        member.training.checkpoint_every_s,
    )
    resume = checkpoint if checkpoint is not None and epochs_done(checkpoint) > 0 else None
    network = run_trainer(data, member, seed, callback, single_device_context(), resume)
    assert callback.best is not None
    network.cpu().load_state_dict(callback.best_weights)
    network.eval()
    preprocessing = member_preprocessing(member, data)
    return TrainedNetwork(
        network, preprocessing, tuple(callback.curve), callback.best, callback.seconds
    )


def round_to_half(network: nn.Module) -> None:
    """Round all weights and running statistics to the nearest number of half precision."""
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half())


def build_ema(member: MemberConfig) -> EMA | None:
    """The EMA callback, if the member asks for one."""
    decay = member.training.ema_decay
    return EMA(decay) if decay else None


def member_preprocessing(member: MemberConfig, data: TrainingData) -> Preprocessing:
    """Preprocessing and TTA views of the member's images."""
    preprocessing = preprocessing_for(
        member.network, data.train.images, data.classes, data.train.image_format
    )
    preprocessing["tta"] = member.tta
    return preprocessing


def epochs_done(checkpoint: Path) -> int:
    """Number of finished epochs in a checkpoint; 0 if the file is missing or unreadable."""
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
        return int(state["epoch"]) + 1
    except (OSError, RuntimeError, KeyError, ValueError, EOFError, pickle.UnpicklingError):
        return 0


def run_trainer(
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    callback: CheckpointCallback,
    device_context: DeviceContext,
    resume: Path | None = None,
) -> nn.Module:
    """Run all epochs, or those after the checkpoint `resume`; the callback keeps the results.

    Every process of a training calls it with the same data, member and seed.

    Returns:
        The network after the last step.
    """
    training = member.training
    precision = resolve_precision(training, device_context.device)
    with training_runtime(derived_seed(seed), training.threads), reraise_oom(member):
        network = build_network(member.network, len(data.classes))
        if data.initial_weights is not None:
            network.load_state_dict(dict(data.initial_weights))
        require_batches(network, member)
        require_start_size(network, member)
        network = network.to(memory_format=torch.channels_last)
        module, batches = _module_and_batches(network, data, member, seed, device_context)
        num_epochs = data.stop_epoch or training.epochs
        with fast_depthwise(network, precision, device_context.device):
            _trainer(member, callback, precision, device_context, num_epochs).fit(
                module,
                train_dataloaders=batches[0],
                val_dataloaders=batches[1] if len(data.validation) else None,
                ckpt_path=resume,
                weights_only=True,
            )
    return network


def _module_and_batches(
    network: nn.Module,
    data: TrainingData,
    member: MemberConfig,
    seed: int,
    device_context: DeviceContext,
) -> tuple[FerModule, tuple[TrainBatches, EvalBatches]]:
    training = member.training
    preprocessing = member_preprocessing(member, data)
    train_batches = TrainBatches(
        data.train,
        preprocessing,
        training_targets(data.train, training),
        config=training,
        seed=seed,
        epoch=lambda: module.current_epoch,
        device=device_context.device,
        group=device_context.group,
        teaching=(
            ConsistentTeachers(data.teachers, training, device_context.device)
            if data.teachers
            else None
        ),
    )
    validation_batches = EvalBatches(
        data.validation,
        preprocessing,
        batch_size=eval_batch_size(preprocessing["image_size_px"], device_context.device),
        device=device_context.device,
        size_px=lambda: epoch_size_px(
            training, preprocessing["image_size_px"], module.current_epoch
        ),
        group=device_context.group,
    )
    num_steps = math.ceil(len(train_batches) / training.accumulate) * training.epochs
    weights_K = loss_weights(data.train, training)
    use_votes = training.auxiliary_head_weight and data.train.num_with_votes
    auxiliary_head = AuxiliaryHead(network) if use_votes else None
    module = FerModule(
        network, member, seed, num_steps, weights_K, auxiliary_head, device_context.group
    )
    return module, (train_batches, validation_batches)


def _trainer(
    member: MemberConfig,
    callback: CheckpointCallback,
    precision: Precision,
    device_context: DeviceContext,
    num_epochs: int,
) -> pl.Trainer:
    return pl.Trainer(
        max_epochs=num_epochs,
        precision=precision,
        gradient_clip_val=member.training.gradient_clip or None,
        accumulate_grad_batches=member.training.accumulate,
        callbacks=[KeepSigterm(), *callback.callbacks],
        logger=False,
        enable_checkpointing=True,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        inference_mode=True,
        use_distributed_sampler=False,
        **device_context.trainer_options,
    )


def require_batches(network: nn.Module, member: MemberConfig) -> None:
    """Reject batches with fewer images per worker than the network needs.

    Raises:
        ConfigError: names the smallest batch size that works.
    """
    norms = (nn.modules.batchnorm._BatchNorm,)  # noqa: SLF001
    normalises = any(isinstance(module, norms) for module in network.modules())
    batch_size, workers = member.training.batch_size, member.training.workers
    smallest = workers * (2 if normalises else 1)
    if batch_size >= smallest:
        return
    reason = (
        f"{member.network.name} uses batch normalisation, which needs at least 2 images each"
        if normalises
        else "each needs at least 1 image"
    )
    shared = f" for {workers} workers" if workers > 1 else ""
    raise ConfigError(
        f"{member.name}: training.batch_size is {batch_size}{shared}, and {reason}; set "
        f"training.batch_size={smallest} or more"
    )
