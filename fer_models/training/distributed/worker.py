"""What runs in each worker of a distributed training."""

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
from fer_models.training.data import TrainingData
from fer_models.training.distributed.mailbox import Resumed
from fer_models.training.distributed.task import Learned, Task
from fer_models.training.epochs import EpochKeeper
from fer_models.training.growth import num_growing_epochs
from fer_models.training.loop import Seat, average_of, epochs_done, learn
from fer_models.training.results import EpochResult, StepResult
from fer_models.training.shard import Shard

CHECKPOINT_FILE = "last.ckpt"


def run_worker(config: dict[str, Any]) -> Learned | None:
    """Train in one worker of a group; the first one gives back what was learned.

    An error that is the user's to mend is put into the mailbox before it ends the worker, so that
    the training is not tried again.
    """
    task: Task = config["task"]
    try:
        return _learn(task)
    except FerError as error:
        ray.get(task.mailbox.tell.remote(error))
        raise


def _learn(task: Task) -> Learned | None:
    context = ray.train.get_context()
    shard = Shard(context.get_world_rank(), context.get_world_size())
    data: TrainingData = ray.get(task.data)
    keeper = ReportingKeeper(task, shard)
    checkpoint = ray.train.get_checkpoint()
    if checkpoint is None:
        learn(data, task.member, task.seed, keeper, _seat(task.member, shard))
    else:
        with checkpoint.as_directory() as folder:
            resume = Path(folder) / CHECKPOINT_FILE
            if shard.is_first:
                ray.get(task.mailbox.tell.remote(Resumed(epochs_done(resume))))
            learn(data, task.member, task.seed, keeper, _seat(task.member, shard), resume)
    if not shard.is_first or keeper.best is None:
        return None  # no epoch was kept: the driver said that it is enough
    return Learned(tuple(keeper.curve), keeper.best, keeper.best_weights, keeper.seconds)


def _seat(member: MemberConfig, shard: Shard) -> Seat:
    strategy: Any = _Strategy  # Ray's classes are not typed
    environment: Any = RayLightningEnvironment
    device = ray.train.torch.get_device()
    options = {
        "accelerator": "gpu" if device.type == "cuda" else "cpu",
        "devices": "auto",
        # Weights that are frozen for some epochs get no gradient in them.
        "strategy": strategy(find_unused_parameters=member.training.frozen_epochs > 0),
        "plugins": [environment()],
    }
    return Seat(device, options, shard)


class _Strategy(RayDDPStrategy):
    """Validates without the others: the wrapped network would wait for them at every batch.

    Shards of the validation images may differ by one, and so may the number of their batches.
    """

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        """One batch, by this process's own network."""
        module = self.lightning_module
        assert isinstance(module, LightningModule)
        with self.precision_plugin.val_step_context():
            return module.validation_step(*args, **kwargs)


class ReportingKeeper(EpochKeeper):
    """Gives the checkpoint of every epoch to Ray Train, then tells the epoch to the driver."""

    def __init__(self, task: Task, shard: Shard) -> None:
        self._mailbox = task.mailbox
        self._shard = shard
        self._goes_on = True
        member = task.member
        super().__init__(
            self._ask,
            average=average_of(member),
            patience=member.training.patience,
            on_step=self._tell,
            num_growing_epochs=num_growing_epochs(member),
        )

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As in one process; the driver may say that it is enough."""
        super().on_train_epoch_end(trainer, pl_module)
        if not self._shard.from_first(self._goes_on):
            trainer.should_stop = True

    def _save(self, trainer: pl.Trainer) -> None:
        with tempfile.TemporaryDirectory(prefix="ferflow-epoch-") as folder:
            trainer.save_checkpoint(Path(folder) / CHECKPOINT_FILE)
            checkpoint = None
            if self._shard.is_first:
                checkpoint = ray.train.Checkpoint.from_directory(folder)
            ray.train.report({"epoch": len(self.curve)}, checkpoint=checkpoint)

    def _ask(self, result: EpochResult) -> None:
        if self._shard.is_first:
            self._goes_on = ray.get(self._mailbox.ask.remote(result))

    def _tell(self, result: StepResult) -> None:
        if self._shard.is_first:
            self._mailbox.tell.remote(result)
