"""The training loop of each worker of a distributed training."""

import tempfile
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import ray
import ray.train
import ray.train.torch
from pytorch_lightning.core.module import LightningModule
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment

from fer_models.errors import FerError
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.events import Resumed
from fer_models.training.distributed.payload import WorkerPayload, WorkerResult
from fer_models.training.engine.callbacks import CheckpointCallback
from fer_models.training.engine.fit import DeviceContext, build_ema, epochs_done, run_trainer
from fer_models.training.engine.results import EpochResult, StepResult
from fer_models.training.inputs.data import TrainingData
from fer_models.training.inputs.progressive_resizing import num_resizing_epochs
from fer_models.training.process_group import ProcessGroup

CHECKPOINT_FILE = "last.ckpt"


def run_worker(config: dict[str, Any]) -> WorkerResult | None:
    """Train in one worker of a group; only the first one returns a result.

    A user-fixable error (FerError) is sent to the channel before it ends the worker, so that the
    training is not retried.
    """
    payload: WorkerPayload = config["payload"]
    try:
        return _train(payload)
    except FerError as error:
        ray.get(payload.channel.send.remote(error))
        raise


def _train(payload: WorkerPayload) -> WorkerResult | None:
    context = ray.train.get_context()
    group = ProcessGroup(context.get_world_rank(), context.get_world_size())
    data: TrainingData = ray.get(payload.data)
    callback = ReportingCheckpointCallback(payload, group)
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        run_trainer(
            data, payload.member, payload.seed, callback, _device_context(payload.member, group)
        )
    else:
        with checkpoint.as_directory() as folder:
            resume = Path(folder) / CHECKPOINT_FILE
            if group.is_first:
                ray.get(payload.channel.send.remote(Resumed(epochs_done(resume))))
            run_trainer(
                data,
                payload.member,
                payload.seed,
                callback,
                _device_context(payload.member, group),
                resume,
            )
    if not group.is_first or callback.best is None:
        return None  # no epoch was kept: the driver stopped the training
    return WorkerResult(
        tuple(callback.curve), callback.best, callback.best_weights, callback.seconds
    )


def _device_context(member: MemberConfig, group: ProcessGroup) -> DeviceContext:
    strategy: Any = _IndependentValidationStrategy  # Ray's classes are not typed
    environment: Any = RayLightningEnvironment
    device = ray.train.torch.get_device()
    options = {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": "auto",
        # Frozen weights get no gradient.
        "strategy": strategy(find_unused_parameters=member.training.frozen_epochs > 0),
        "plugins": [environment()],
    }
    return DeviceContext(device, options, group)


class _IndependentValidationStrategy(RayDDPStrategy):
    """Validates without synchronisation, which the DDP-wrapped network would do at every batch.

    Processes may differ by one validation image, and so in their number of batches.
    """

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """Validate one batch with this process's unwrapped network."""
        module = self.lightning_module
        assert isinstance(module, LightningModule)
        with self.precision_plugin.val_step_context():
            return module.validation_step(*args, **kwargs)


class ReportingCheckpointCallback(CheckpointCallback):
    """Reports every epoch's checkpoint to Ray Train, then its result to the driver."""

    def __init__(self, payload: WorkerPayload, group: ProcessGroup) -> None:
        self._channel = payload.channel
        self._group = group
        self._keep_training = True
        member = payload.member
        super().__init__(
            self._send_epoch,
            ema=build_ema(member),
            patience=member.training.patience,
            on_step=self._send_step,
            num_resizing_epochs=num_resizing_epochs(member),
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As in one process; also stops if the driver says so."""
        super().on_train_epoch_end(trainer, pl_module)
        if not self._group.broadcast(self._keep_training):
            trainer.should_stop = True

    def _save_checkpoint(self, trainer: pl.Trainer) -> None:
        with tempfile.TemporaryDirectory(prefix="ferflow-epoch-") as folder:
            trainer.save_checkpoint(Path(folder) / CHECKPOINT_FILE)
            checkpoint = None
            if self._group.is_first:
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"epoch": len(self.curve)}, checkpoint=checkpoint)

    def _send_epoch(self, result: EpochResult) -> None:
        if self._group.is_first:
            self._keep_training = ray.get(self._channel.request.remote(result))

    def _send_step(self, result: StepResult) -> None:
        if self._group.is_first:
            self._channel.send.remote(result)
