"""Train one member: the entry point of this package, which loads torch and Lightning lazily."""

from collections.abc import Sequence

from fer_models.cluster_address import uses_cluster
from fer_models.errors import ConfigError
from fer_models.progress import report
from fer_models.storage.refs import FoldRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.native_input import with_native_input


def train_member(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    teachers: Sequence[ModelRef] = (),
    initial: ModelRef | None = None,
    folds: Sequence[FoldRef] = (),
) -> ModelRef:
    """Train a member on a snapshot and write network, probabilities and curve to the store.

    The epoch with the best validation accuracy is kept. The test split is predicted but never
    used to choose anything. A training that was killed resumes from its last checkpoint when it
    is called again with the same arguments.

    With `member.out_of_fold` the model also holds predictions of the training images by the
    networks of its folds, which are trained first unless they are given.

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
        folds: the member's trained folds, all of them; see `fit_fold`.

    Returns:
        Reference to the stored model.

    Raises:
        ConfigError: the network is unknown, or the settings do not fit each other, this machine
            or the Ray cluster.
        DataError: no images to train or validate on.
        StoreError: the snapshot can't be read or the model can't be written.
        TrainingError: the loss is not finite, or memory runs out.
    """
    from fer_models.training.folds.train import fit_fold

    _check_teachers(store, snapshot, teachers)
    member = with_native_input(store, snapshot, member)
    if not folds:
        folds = [
            fit_fold(store, snapshot, member, seed, tracking, fold, teachers)
            for fold in range(member.out_of_fold.folds)
        ]
    if member.training.workers == 1 and uses_cluster():
        from fer_models.training.on_node import train_on_node

        arguments = (store, snapshot, member, seed, tracking, teachers, initial, folds)
        return train_on_node(member, member.name, train_member, *arguments)
    return _train_here(
        store, snapshot, member, seed + member.seed_offset, tracking, teachers, initial, folds
    )


def _check_teachers(
    store: ArtifactStore, snapshot: SnapshotRef, teachers: Sequence[ModelRef]
) -> None:
    """Teachers of another split may have learned from what is held out of this one.

    Raises:
        ConfigError: lists the teachers that were not trained on this snapshot.
    """
    problems = []
    for teacher in teachers:
        info = store.info(teacher)
        if info.get("final_fit_of"):
            problems.append(f"{teacher.id} is a final fit: it has learned the validation images")
        elif info["snapshot_id"] != snapshot.id:
            problems.append(f"{teacher.id} was trained on {str(info['snapshot_id'])[:12]}")
    if problems:
        raise ConfigError(
            f"expected teachers that were trained on the snapshot {snapshot.id[:12]}; train them "
            "on it first (`ferflow task train --member NAME`), or leave them out of teachers",
            problems,
        )


def _train_here(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    teachers: Sequence[ModelRef],
    initial: ModelRef | None,
    folds: Sequence[FoldRef],
) -> ModelRef:
    """Train the member's own network in this process, or on workers."""
    report("train", 0, member.training.epochs, "epochs", note=f"{member.name}: loading")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.evaluation.metrics import confusion_matrix
    from fer_models.evaluation.predictions import read_predictions
    from fer_models.lineage import lineage
    from fer_models.models.pretrained.start import pretrained_fingerprint
    from fer_models.training.artifact import Origin, write_model
    from fer_models.training.checkpoint_dir import bundled_fingerprints, training_key
    from fer_models.training.folds.stored import merge_folds
    from fer_models.training.inputs.data import training_data
    from fer_models.training.resumable import Training, started_data, trained_network

    opened = open_snapshot(store, snapshot)
    data = started_data(store, training_data(opened), member, teachers, initial)
    origin = Origin(
        # Before the training: the weights folder may be gone after it.
        pretrained_fingerprint(member.network),
        tuple(teachers),
        initial,
        merge_folds(store, opened, folds) if folds else None,
        bundled_teachers=bundled_fingerprints(member),
    )
    key = training_key(snapshot, member, seed, teachers, initial)
    training = Training(member, seed, key, member.name)
    facts = lineage(snapshot.id, seed)
    used = (snapshot, *teachers, *([initial] if initial else []))
    with trained_network(store, data, training, tracking, facts, used) as (trained, run):
        model = write_model(store, opened, member, seed, trained, origin)
        validation = read_predictions(store, opened, model)["validation"]
        confusion_KK = confusion_matrix(validation.probs_NK, validation.labels)
        run.log_confusion(confusion_KK, opened.classes.names)
        run.made(model)
    return model
