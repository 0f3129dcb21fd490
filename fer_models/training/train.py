"""Train one member: the entry point of this package, which loads torch and Lightning lazily."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fer_models.cluster_address import uses_cluster
from fer_models.progress import report
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.initial import initial_weights

if TYPE_CHECKING:
    from fer_models.dataset.snapshot import DatasetSnapshot
    from fer_models.tracking.track import Tracker
    from fer_models.training.checkpoint_dir import CheckpointDir
    from fer_models.training.engine.fit import TrainedNetwork
    from fer_models.training.engine.results import EpochResult, StepResult
    from fer_models.training.inputs.data import TrainingData
    from fer_models.training.stored_checkpoint import StoredCheckpoint


def train_member(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    teachers: Sequence[ModelRef] = (),
    initial: ModelRef | None = None,
) -> ModelRef:
    """Train a member on a snapshot and write network, probabilities and curve to the store.

    The epoch with the best validation accuracy is kept. The test split is predicted but never
    used to choose anything. A training that was killed resumes from its last checkpoint when it
    is called again with the same arguments.

    On a Ray cluster (RAY_ADDRESS) all of it runs on a node that has `member.placement`, and only
    the tracked run is written here.

    Example:
        store = ArtifactStore(StoreConfig(url="my-store"))
        member = MemberConfig(name="small", network=NetworkConfig(name="compact_cnn"))
        model = train_member(store, snapshot, member, seed=0, tracking=TrackingConfig())
        print(store.info(model)["validation_accuracy"])

    Args:
        store: holds the snapshot and receives the model.
        snapshot: cleaned and split images.
        member: network and training settings.
        seed: seed of all random numbers; the member's `seed_offset` is added.
        tracking: experiment tracking of the training curve.
        teachers: trained networks to distil from, see `training.teacher_weight`.
        initial: a stored model of the same network whose weights the training starts from.

    Returns:
        Reference to the stored model.

    Raises:
        ConfigError: the network is unknown, or the settings do not fit each other, this machine
            or the Ray cluster.
        DataError: no images to train or validate on.
        StoreError: the snapshot can't be read or the model can't be written.
        TrainingError: the loss is not finite, or memory runs out.
    """
    if member.training.workers == 1 and uses_cluster():
        from fer_models.training.on_node import train_on_node

        return train_on_node(
            train_member, store, snapshot, member, seed, tracking, teachers, initial
        )
    seed += member.seed_offset
    report("train", 0, member.training.epochs, "epochs", note=f"{member.name}: loading")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.evaluation.metrics import confusion_matrix
    from fer_models.evaluation.predictions import read_predictions
    from fer_models.lineage import lineage
    from fer_models.models.pretrained.start import pretrained_fingerprint
    from fer_models.tracking.track import track_run
    from fer_models.training.artifact import write_model
    from fer_models.training.checkpoint_dir import checkpoint_dir, training_key
    from fer_models.training.stored_checkpoint import stored_checkpoint

    opened = open_snapshot(store, snapshot)
    data = _load_data(store, opened, member, teachers, initial)
    # Before the training: the weights folder may be gone after it.
    started_from = pretrained_fingerprint(member.network)
    run_config = {"member": member.model_dump(mode="json"), **lineage(snapshot.id, seed)}
    key = training_key(snapshot, member, seed, teachers, initial)
    with (
        track_run(tracking, member.name, run_config, store, "train") as run,
        checkpoint_dir(key) as checkpoints,
        stored_checkpoint(store, key, checkpoints.checkpoint) as copy,
    ):
        for ref in (snapshot, *teachers, *([initial] if initial else [])):
            run.used(ref)
        trained = _fit(store, data, member, seed, checkpoints, run, copy)
        model = write_model(store, opened, member, seed, trained, started_from, teachers, initial)
        validation = read_predictions(store, opened, model)["validation"]
        confusion_KK = confusion_matrix(validation.probs_NK, validation.labels)
        run.log_confusion(confusion_KK, opened.classes.names)
        run.made(model)
        _remove_checkpoints(store, member, checkpoints)
    return model


def _load_data(
    store: ArtifactStore,
    snapshot: "DatasetSnapshot",
    member: MemberConfig,
    teachers: Sequence[ModelRef],
    initial: ModelRef | None,
) -> "TrainingData":
    """The snapshot's images, with initial weights and predictions of teachers, if any."""
    from fer_models.training.inputs.data import training_data
    from fer_models.training.objective.distillation import distill

    epochs = member.training.epochs
    data = training_data(snapshot)
    if member.training.auxiliary_head_weight and not data.train.num_with_votes:
        note = f"{member.name}: no image has FER+ votes; training without the auxiliary head"
        report("train", 0, epochs, "epochs", note=note)
    if initial is not None:
        weights = initial_weights(store, initial, member.network, snapshot.classes)
        data = replace(data, initial_weights=weights)
        report("train", 0, epochs, "epochs", note=f"{member.name}: starting from {initial.id}")
    if not teachers:
        return data
    names = ", ".join(teacher.name for teacher in teachers)
    report("train", 0, epochs, "epochs", note=f"{member.name}: predicting with {names}")
    return distill(store, data, teachers)


def _fit(
    store: ArtifactStore,
    data: "TrainingData",
    member: MemberConfig,
    seed: int,
    checkpoints: "CheckpointDir",
    run: "Tracker",
    copy: "StoredCheckpoint",
) -> "TrainedNetwork":
    """Train in this process or on workers; report to progress and to tracking."""
    epochs = member.training.epochs

    def on_resumed(done: int) -> None:
        note = f"{member.name}: resumed after epoch {done}"
        report("train", done, epochs, "epochs", note=note)

    def on_epoch(result: "EpochResult") -> None:
        copy.save()
        report("train", result.epoch, epochs, "epochs", note=f"{member.name}: {result}")
        run.log(result.model_dump(exclude_none=True, exclude={"step"}), step=result.step)

    def on_step(result: "StepResult") -> None:
        scores = {f"step/{name}": value for name, value in result.scores.items()}
        run.log(scores, step=result.step)

    if member.training.workers > 1:
        from fer_models.training.distributed.events import EventHandler
        from fer_models.training.distributed.train import train_on_workers

        handler = EventHandler(on_epoch, on_step, on_resumed)
        return train_on_workers(store, data, member, seed, checkpoints, handler)
    from fer_models.training.engine.fit import epochs_done, fit

    if done := epochs_done(checkpoints.checkpoint):
        on_resumed(done)
    return fit(data, member, seed, on_epoch, checkpoints.checkpoint, on_step)


def _remove_checkpoints(
    store: ArtifactStore, member: MemberConfig, checkpoints: "CheckpointDir"
) -> None:
    """Delete the checkpoints of a finished training."""
    if member.training.workers > 1:
        from fer_models.training.distributed.checkpoints import remove_checkpoints

        remove_checkpoints(store, checkpoints)
    checkpoints.remove()
