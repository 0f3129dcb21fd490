"""Train one member: the door to this package; torch and Lightning are loaded behind it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fer_models.labels import CLASS_NAMES
from fer_models.progress import report
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig

if TYPE_CHECKING:
    from fer_models.tracking.track import Tracker
    from fer_models.training.checkpoint_dir import CheckpointDir
    from fer_models.training.engine.fit import TrainedNetwork
    from fer_models.training.engine.results import EpochResult, StepResult
    from fer_models.training.inputs.data import TrainingData


def train_member(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    teachers: Sequence[ModelRef] = (),
) -> ModelRef:
    """Train a network on a snapshot and write it, its probabilities and its curve to the store.

    The best epoch by validation accuracy is kept; the test split is predicted, never looked at.
    A training that was killed goes on from its last epoch when it is called again.

    Args:
        store: where the snapshot lies and the model goes.
        snapshot: cleaned and split images.
        member: network and training.
        seed: start of every random draw; the member's `seed_offset` is added.
        tracking: where the curve goes besides.
        teachers: trained networks whose opinion of the training images is a part of the target.

    Raises:
        ConfigError: unknown network, or settings that do not fit together, to this machine or to
            the Ray cluster.
        DataError: no images to train or to validate on.
        StoreError: the snapshot can't be read or the model not written.
        TrainingError: the loss is not finite, or memory ran out.
    """
    seed += member.seed_offset
    epochs = member.training.epochs
    report("train", 0, epochs, "epochs", note=f"{member.name}: loading")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.evaluation.metrics import confusion_matrix
    from fer_models.evaluation.predictions import read_predictions
    from fer_models.lineage import lineage
    from fer_models.models.pretrained import pretrained_fingerprint
    from fer_models.tracking.track import track_run
    from fer_models.training.artifact import write_model
    from fer_models.training.checkpoint_dir import checkpoint_dir, training_key
    from fer_models.training.inputs.data import training_data
    from fer_models.training.objective.distillation import distill

    opened = open_snapshot(store, snapshot)
    data = training_data(opened)
    if member.training.auxiliary_head_weight and not data.train.num_with_votes:
        note = f"{member.name}: no image has FER+ votes, so there is no vote head"
        report("train", 0, epochs, "epochs", note=note)
    if teachers:
        names = ", ".join(teacher.name for teacher in teachers)
        report("train", 0, epochs, "epochs", note=f"{member.name}: asking {names}")
        data = distill(store, data, teachers)
    # Asked before the training: the folder may be gone after it.
    started_from = pretrained_fingerprint(member.network)
    run_config = {"member": member.model_dump(mode="json"), **lineage(snapshot.id, seed)}
    with (
        track_run(tracking, member.name, run_config) as run,
        checkpoint_dir(training_key(snapshot, member, seed, teachers)) as work,
    ):
        trained = _fit(store, data, member, seed, work, run)
        model = write_model(store, opened, member, seed, trained, started_from, teachers)
        answers = read_predictions(store, opened, model)["validation"]
        run.log_confusion(confusion_matrix(answers.probs_NK, answers.labels), CLASS_NAMES)
        _forget(store, member, work)
    return model


def _fit(
    store: ArtifactStore,
    data: "TrainingData",
    member: MemberConfig,
    seed: int,
    work: "CheckpointDir",
    run: "Tracker",
) -> "TrainedNetwork":
    """Train in this process or with workers, telling both progress and tracking how it goes."""
    epochs = member.training.epochs

    def on_resumed(done: int) -> None:
        note = f"{member.name}: resumed after epoch {done}"
        report("train", done, epochs, "epochs", note=note)

    def on_epoch(result: "EpochResult") -> None:
        report("train", result.epoch, epochs, "epochs", note=f"{member.name}: {result}")
        run.log(result.model_dump(exclude_none=True, exclude={"step"}), step=result.step)

    def on_step(result: "StepResult") -> None:
        scores = {f"step/{name}": value for name, value in result.scores.items()}
        run.log(scores, step=result.step)

    if member.training.workers > 1:
        from fer_models.training.distributed.channel import EventHandler
        from fer_models.training.distributed.train import train_on_workers

        handler = EventHandler(on_epoch, on_step, on_resumed)
        return train_on_workers(store, data, member, seed, work, handler)
    from fer_models.training.engine.fit import epochs_done, fit

    if done := epochs_done(work.checkpoint):
        on_resumed(done)
    return fit(data, member, seed, on_epoch, work.checkpoint, on_step)


def _forget(store: ArtifactStore, member: MemberConfig, work: "CheckpointDir") -> None:
    """Remove what the training could have gone on from."""
    if member.training.workers > 1:
        from fer_models.training.distributed.checkpoints import remove_checkpoints

        remove_checkpoints(store, work)
    work.remove()
