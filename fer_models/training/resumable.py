"""One training that can be interrupted: tracked, and resumed from its last checkpoint."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from fer_models.progress import report
from fer_models.storage.refs import ArtifactRef, FoldRef, ModelRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.present import Inputs
from fer_models.tracking.config import TrackingConfig
from fer_models.tracking.track import Tracker, track_run
from fer_models.training.checkpoint_dir import CheckpointDir, checkpoint_dir
from fer_models.training.config import MemberConfig
from fer_models.training.engine.fit import TrainedNetwork, epochs_done, fit, round_to_half
from fer_models.training.engine.results import EpochResult, StepResult
from fer_models.training.initial import initial_weights
from fer_models.training.inputs.data import TrainingData
from fer_models.training.objective.distillation import distill
from fer_models.training.stored_checkpoint import StoredCheckpoint, stored_checkpoint

_MUCH_LARGER = 1.25
"""Ratio of the sides of stored images and network input from which detail is lost."""


@dataclass(frozen=True)
class Training:
    """A training, and what names it.

    `key` is a hash of everything that its result depends on (`training_key`); `label` is shown in
    progress and, with hyphens, is the name of the tracked run.
    """

    member: MemberConfig
    seed: int
    key: str
    label: str


def started_data(
    store: ArtifactStore,
    data: TrainingData,
    member: MemberConfig,
    teachers: Sequence[ModelRef | FoldRef] = (),
    initial: ModelRef | None = None,
) -> TrainingData:
    """The data with the initial weights and the teachers' predictions, if there are any.

    Raises:
        ConfigError: the initial weights are those of another network.
        StoreError: a model is missing or damaged.
    """
    epochs = data.stop_epoch or member.training.epochs
    if member.training.auxiliary_head_weight and not data.train.num_with_votes:
        note = f"{member.name}: no image has FER+ votes; training without the auxiliary head"
        report("train", 0, epochs, "epochs", note=note)
    if unused := _unused_detail(data, member):
        report("train", 0, epochs, "epochs", note=f"{member.name}: {unused}")
    if initial is not None:
        weights = initial_weights(store, initial, member.network, data.classes)
        data = replace(data, initial_weights=weights)
        report("train", 0, epochs, "epochs", note=f"{member.name}: starting from {initial.id}")
    if names := [*(teacher.name for teacher in teachers), *member.bundled_teachers]:
        note = f"{member.name}: learning from {', '.join(names)}"
        report("train", 0, epochs, "epochs", note=note)
    return distill(store, data, member, teachers)


def _unused_detail(data: TrainingData, member: MemberConfig) -> str:
    """What the stored images have and the network does not read, and the settings that change it.

    A network's input is a choice: smaller ones are faster, and their weights can be shipped.
    """
    images, network = data.train.images, member.network
    side_px, in_colour = images.shape[1], images.ndim == 4
    lost, settings = [], []
    if side_px > _MUCH_LARGER * network.side_px:
        lost.append(f"{side_px} px images are reduced to {network.image_size_px} px")
        settings.append(f"members.{member.name}.network.image_size_px={side_px}")
    if in_colour and network.input_channels == 1:
        lost.append("colour is not used")
        settings.append(f"members.{member.name}.network.in_channels=3")
    if not lost:
        return ""
    return f"{' and '.join(lost)}; to use them: --set {' --set '.join(settings)}"


@contextmanager
def trained_network(
    store: ArtifactStore,
    data: TrainingData,
    training: Training,
    tracking: TrackingConfig,
    facts: dict[str, Any],
    used: Sequence[ArtifactRef] = (),
) -> Iterator[tuple[TrainedNetwork, Tracker]]:
    """Train a network, which the block writes to the store; its checkpoints are then deleted.

    If the training or the block fails or is killed, the same call resumes from the last checkpoint.

    Args:
        store: holds checkpoints that other nodes can reach.
        data: the images.
        training: what is trained.
        tracking: experiment tracking of the training curve.
        facts: lineage, JSON values that are tracked with the settings.
        used: the artifacts that the training starts from, for the lineage of the tracked run. They
            must be in the store until the training has ended.

    Raises:
        ConfigError: the network and the settings do not fit each other or this machine.
        StoreError: an artifact was removed meanwhile.
        TrainingError: the loss is not finite, or memory runs out.
    """
    member = training.member
    inputs = Inputs(store, used, f"the training of {training.label}")
    run_config = {"member": member.model_dump(mode="json"), **facts}
    run_name = training.label.replace(", ", "-").replace(" ", "-")
    with (
        track_run(tracking, run_name, run_config, store, "train") as run,
        checkpoint_dir(training.key) as checkpoints,
        stored_checkpoint(store, training.key, checkpoints.checkpoint) as copy,
    ):
        for ref in used:
            run.used(ref)
        trained = _fit(store, data, training, checkpoints, run, copy, inputs)
        inputs.require()
        if member.training.half_weights:
            round_to_half(trained.network)
        yield trained, run
        _remove_checkpoints(store, member, checkpoints)


def _fit(
    store: ArtifactStore,
    data: TrainingData,
    training: Training,
    checkpoints: CheckpointDir,
    run: Tracker,
    copy: StoredCheckpoint,
    inputs: Inputs,
) -> TrainedNetwork:
    """Train in this process or on workers; report to progress and to tracking."""
    member, label = training.member, training.label
    epochs = data.stop_epoch or member.training.epochs

    def on_resumed(done: int) -> None:
        note = f"{label}: resumed after epoch {done}"
        report("train", done, epochs, "epochs", note, notable=True)

    def on_epoch(result: EpochResult) -> None:
        inputs.look()
        copy.save()
        report("train", result.epoch, epochs, "epochs", note=f"{label}: {result}")
        run.log(result.model_dump(exclude_none=True, exclude={"step"}), step=result.step)

    def on_step(result: StepResult) -> None:
        scores = {f"step/{name}": value for name, value in result.scores.items()}
        run.log(scores, step=result.step)

    if member.training.workers > 1:
        from fer_models.training.distributed.events import EventHandler
        from fer_models.training.distributed.train import train_on_workers

        handler = EventHandler(on_epoch, on_step, on_resumed)
        return train_on_workers(store, data, member, training.seed, checkpoints, handler)
    if done := epochs_done(checkpoints.checkpoint):
        on_resumed(done)
    return fit(data, member, training.seed, on_epoch, checkpoints.checkpoint, on_step)


def _remove_checkpoints(
    store: ArtifactStore, member: MemberConfig, checkpoints: CheckpointDir
) -> None:
    """Delete the checkpoints of a finished training."""
    if member.training.workers > 1:
        from fer_models.training.distributed.checkpoints import remove_checkpoints

        remove_checkpoints(store, checkpoints)
    checkpoints.remove()
