"""A distributed training as its driver sees it: started, followed, and brought home."""

import threading
from contextlib import suppress
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer

from fer_models.errors import ConfigError, FerError, TrainingError
from fer_models.ray_cluster import node_resources, num_gpus, require_room
from fer_models.training.config import MemberConfig
from fer_models.training.data import TrainingData
from fer_models.training.distributed.failing import StopAtOurErrors
from fer_models.training.distributed.listener import Listener
from fer_models.training.distributed.mailbox import open_mailbox
from fer_models.training.distributed.place import Place
from fer_models.training.distributed.task import Learned, Task
from fer_models.training.distributed.train import worker_demand, worker_threads
from fer_models.training.distributed.worker import run_worker

_LISTEN_S = 0.5
_GOODBYE_S = 60.0


def fit_on_workers(
    data: "ray.ObjectRef[TrainingData]",
    member: MemberConfig,
    seed: int,
    place: Place,
    listener: Listener,
) -> Learned:
    """What `train_on_workers` does, on the Ray cluster that is connected and holds the data."""
    require_room(worker_demand(member, gpus=_gpus_per_worker(member)), node_resources())
    mailbox = open_mailbox()
    task = Task(_with_threads(member), seed, data, mailbox)
    return _Run(_trainer(task, place), mailbox, member).follow(listener)


def _trainer(task: Task, place: Place) -> Any:
    training = task.member.training
    gpus = _gpus_per_worker(task.member)
    trainer: Any = TorchTrainer
    v2: Any = ray.train  # Ray 2.60 declares the types of its older interface
    elastic = training.min_workers not in (None, training.workers)
    resources = {"CPU": training.cpus_per_worker} | ({"GPU": gpus} if gpus else {})
    return trainer(
        run_worker,
        train_loop_config={"task": task},
        scaling_config=v2.ScalingConfig(
            num_workers=(training.min_workers, training.workers) if elastic else training.workers,
            use_gpu=bool(gpus),
            resources_per_worker=resources,
        ),
        run_config=v2.RunConfig(
            name=place.name,
            storage_path=place.path,
            storage_filesystem=place.filesystem,
            # One at a time fills no disk; the best weights so far are in it.
            checkpoint_config=v2.CheckpointConfig(num_to_keep=1),
            failure_config=v2.FailureConfig(
                max_failures=training.worker_losses,
                controller_failure_limit=training.worker_losses,
            ),
            callbacks=[StopAtOurErrors(task.mailbox)],
            logging_config=v2.LoggingConfig(log_level="CRITICAL"),
        ),
    )


class _Run:
    """A trainer in a thread of its own, so that this one can listen."""

    def __init__(self, trainer: Any, mailbox: Any, member: MemberConfig) -> None:
        self._trainer = trainer
        self._mailbox = mailbox
        self._member = member
        self._result: Any = None
        self._error: BaseException | None = None
        # A daemon: nobody waits for a training that was interrupted.
        self._thread = threading.Thread(target=self._fit, daemon=True)

    def follow(self, listener: Listener) -> Learned:
        """Pass on what is told until the training ends.

        Raises:
            TrainingError: it did not end well; or whatever the listener raises, which ends it.
        """
        self._thread.start()
        self._listen(listener)
        if self._error is not None:
            raise self._explained(self._error) from self._error
        assert self._result is not None
        learned = self._result.return_value
        assert isinstance(learned, Learned)
        return learned

    def _fit(self) -> None:
        try:
            self._result = self._trainer.fit()
        except BaseException as error:  # noqa: BLE001 - told in the other thread
            self._error = error

    def _listen(self, listener: Listener) -> None:
        while True:
            envelope = ray.get(self._mailbox.take.remote(_LISTEN_S))
            if envelope is None:
                if not self._thread.is_alive():
                    return
                continue
            try:
                listener.hear(envelope.letter)
            except BaseException:
                self._stop()
                raise
            self._mailbox.answer.remote(envelope.number)

    def _stop(self) -> None:
        """Let the workers end after the epoch that was told, so that others can have their room."""
        with suppress(ray.exceptions.RayError):
            ray.get(self._mailbox.stop.remote(), timeout=_LISTEN_S)
            self._thread.join(_GOODBYE_S)

    def _explained(self, error: BaseException) -> FerError:
        try:
            failure = ray.get(self._mailbox.failure.remote(), timeout=_GOODBYE_S)
        except ray.exceptions.RayError:
            failure = None
        if isinstance(failure, FerError):
            return failure
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = lines[-1] if lines else type(error).__name__
        return TrainingError(
            f"{self._member.name}: the training on {self._member.training.workers} workers failed: "
            f"{why}; the same command goes on from the last epoch; look into Ray's logs "
            "(/tmp/ray/session_latest/logs), raise training.worker_losses, or set "
            "training.workers=1"
        )


def _gpus_per_worker(member: MemberConfig) -> float:
    """One where the cluster has any, else none.

    Raises:
        ConfigError: there are some, but too few: workers can't share one.
    """
    gpus, workers = num_gpus(), member.training.workers
    if not gpus or gpus >= workers:
        return float(bool(gpus))
    raise ConfigError(
        f"training {member.name}: training.workers={workers} take a GPU each and the Ray cluster "
        f"has {gpus:g}; set training.workers={int(gpus)}, or hide the GPUs (CUDA_VISIBLE_DEVICES=) "
        "to train on processors"
    )


def _with_threads(member: MemberConfig) -> MemberConfig:
    training = member.training.model_copy(update={"threads": worker_threads(member)})
    return member.model_copy(update={"training": training})
