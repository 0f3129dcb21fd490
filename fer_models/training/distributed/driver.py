"""Driver of a distributed training: starts it, relays its events and returns its result."""

import threading
from contextlib import suppress
from typing import Any

import ray
import ray.train
from ray.train.torch import TorchTrainer

from fer_models.errors import FerError, TrainingError
from fer_models.ray_cluster import node_resources, require_room
from fer_models.remote.channel import open_channel
from fer_models.training.config import MemberConfig
from fer_models.training.distributed.checkpoints import CheckpointLocation
from fer_models.training.distributed.events import EventHandler
from fer_models.training.distributed.failure_callback import StopOnUserError
from fer_models.training.distributed.payload import WorkerPayload, WorkerResult
from fer_models.training.distributed.resources import gpus_per_worker, worker_demand, worker_threads
from fer_models.training.distributed.worker import run_worker
from fer_models.training.inputs.data import TrainingData

_POLL_S = 0.5
_SHUTDOWN_S = 60.0


def fit_on_workers(
    data: "ray.ObjectRef[TrainingData]",
    member: MemberConfig,
    seed: int,
    location: CheckpointLocation,
    handler: EventHandler,
) -> WorkerResult:
    """As `train_on_workers`, on the connected Ray cluster, whose object store holds the data."""
    require_room(worker_demand(member, gpus=gpus_per_worker(member)), node_resources())
    channel = open_channel()
    payload = WorkerPayload(_with_threads(member), seed, data, channel)
    return _TrainerThread(_trainer(payload, location), channel, member).run(handler)


def _trainer(payload: WorkerPayload, location: CheckpointLocation) -> Any:
    training = payload.member.training
    gpus = gpus_per_worker(payload.member)
    trainer: Any = TorchTrainer
    v2: Any = ray.train  # Ray 2.60 declares the types of its older API
    elastic = training.min_workers not in (None, training.workers)
    resources = {"CPU": training.cpus_per_worker} | ({"GPU": gpus} if gpus else {})
    return trainer(
        run_worker,
        train_loop_config={"payload": payload},
        scaling_config=v2.ScalingConfig(
            num_workers=(training.min_workers, training.workers) if elastic else training.workers,
            use_gpu=bool(gpus),
            resources_per_worker=resources,
        ),
        run_config=v2.RunConfig(
            name=location.name,
            storage_path=location.path,
            storage_filesystem=location.filesystem,
            # One is enough: it holds the best weights so far, too.
            checkpoint_config=v2.CheckpointConfig(num_to_keep=1),
            failure_config=v2.FailureConfig(
                max_failures=training.worker_losses,
                controller_failure_limit=training.worker_losses,
            ),
            callbacks=[StopOnUserError(payload.channel)],
            logging_config=v2.LoggingConfig(log_level="CRITICAL"),
        ),
    )


class _TrainerThread:
    """Runs a trainer in a thread, so that the calling thread can relay its events."""

    def __init__(self, trainer: Any, channel: Any, member: MemberConfig) -> None:
        self._trainer = trainer
        self._channel = channel
        self._member = member
        self._result: Any = None
        self._error: BaseException | None = None
        # A daemon: an interrupted process must not wait for its training.
        self._thread = threading.Thread(target=self._fit, daemon=True)

    def run(self, handler: EventHandler) -> WorkerResult:
        """Train, and pass events to the handler until the training ends.

        Raises:
            TrainingError: the training failed. Any error of the handler stops the training and is
                raised as it is.
        """
        self._thread.start()
        self._relay_events(handler)
        if self._error is not None:
            raise self._as_fer_error(self._error) from self._error
        assert self._result is not None
        result = self._result.return_value
        assert isinstance(result, WorkerResult)
        return result

    def _fit(self) -> None:
        try:
            self._result = self._trainer.fit()
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._error = error

    def _relay_events(self, handler: EventHandler) -> None:
        while True:
            message = ray.get(self._channel.receive.remote(_POLL_S))
            if message is None:
                if not self._thread.is_alive():
                    return
                continue
            try:
                handler.on_event(message.event)
            except BaseException:
                self._stop()
                raise
            self._channel.reply.remote(message.number)

    def _stop(self) -> None:
        """Let the workers end after the current epoch, so that their resources are freed."""
        with suppress(ray.exceptions.RayError):
            ray.get(self._channel.stop.remote(), timeout=_POLL_S)
            self._thread.join(_SHUTDOWN_S)

    def _as_fer_error(self, error: BaseException) -> FerError:
        try:
            failure = ray.get(self._channel.failure.remote(), timeout=_SHUTDOWN_S)
        except ray.exceptions.RayError:
            failure = None
        if isinstance(failure, FerError):
            return failure
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1] if lines else type(error).__name__
        return TrainingError(
            f"{self._member.name}: the training on {self._member.training.workers} workers failed: "
            f"{reason}; the same command resumes from the last epoch; check Ray's logs "
            "(/tmp/ray/session_latest/logs), raise training.worker_losses, or set "
            "training.workers=1"
        )


def _with_threads(member: MemberConfig) -> MemberConfig:
    training = member.training.model_copy(update={"threads": worker_threads(member)})
    return member.model_copy(update={"training": training})
