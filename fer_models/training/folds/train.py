"""Train a member's network for one fold, which loads torch and Lightning lazily."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from fer_models.cluster_address import uses_cluster
from fer_models.errors import ConfigError
from fer_models.progress import report
from fer_models.storage.json_bytes import json_bytes, json_key
from fer_models.storage.refs import FoldRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig
from fer_models.training.folds.stored import PREDICTIONS_FILE, fold_bytes, folds_of
from fer_models.training.inputs.native_input import with_native_input

if TYPE_CHECKING:
    from fer_models.dataset.snapshot import DatasetSnapshot
    from fer_models.training.engine.fit import TrainedNetwork
    from fer_models.training.folds.assign import Folds


def fit_fold(
    store: ArtifactStore,
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    fold: int,
    teachers: Sequence[ModelRef] = (),
) -> FoldRef:
    """Train a member on all folds but one, and predict the one that was left out.

    Settings and seed are those of the member's own network. The epoch is chosen on the validation
    split, as for that one: no image of the left-out fold is looked at. Instead of a teacher, its
    network for the same fold teaches. The network never starts from the weights of a champion,
    which may have been trained on the images that are left out.

    A fold that is stored is returned as it is; a training that was killed resumes from its last
    checkpoint. On a Ray cluster all of it runs on a node that has `member.placement`.

    Args:
        store: holds the snapshot and receives the fold.
        snapshot: cleaned and split images.
        member: with the number of folds in `out_of_fold.folds`.
        seed: of the run; the member's `seed_offset` is added for the training, not for the folds.
        tracking: experiment tracking of the training curve.
        fold: 0.. of the fold that is left out.
        teachers: models of members with the same folds.

    Raises:
        ConfigError: a teacher has no such fold, or as `train_member`.
        DataError: too few images for the folds.
        StoreError: an artifact can't be read or written.
        TrainingError: the loss is not finite, or memory runs out.

    Example:
        folds = [fit_fold(store, snapshot, member, 0, tracking, fold) for fold in range(5)]
        model = train_member(store, snapshot, member, 0, tracking, folds=folds)
    """
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.training.folds.assign import training_folds

    member = with_native_input(store, snapshot, member)
    num_folds = member.out_of_fold.folds
    assert 0 <= fold < num_folds
    label = f"{member.name}, fold {fold + 1} of {num_folds}"
    report("train", 0, member.training.epochs, "epochs", note=f"{label}: loading")
    opened = open_snapshot(store, snapshot)
    folds = training_folds(store, opened, num_folds, seed)
    if member.training.workers == 1 and uses_cluster():
        from fer_models.training.on_node import train_on_node

        arguments = (store, snapshot, member, seed, tracking, fold, teachers)
        return train_on_node(member, label, fit_fold, *arguments)
    taught_by = [_teacher_fold(store, teacher, fold, folds) for teacher in teachers]
    return _trained_fold(
        store, opened, member, seed + member.seed_offset, tracking, (fold, label), folds, taught_by
    )


def _trained_fold(
    store: ArtifactStore,
    snapshot: "DatasetSnapshot",
    member: MemberConfig,
    seed: int,
    tracking: TrackingConfig,
    named: tuple[int, str],
    folds: "Folds",
    teachers: Sequence[FoldRef],
) -> FoldRef:
    """Train the fold in this process or on workers, unless it is stored."""
    from fer_models.lineage import lineage
    from fer_models.training.checkpoint_dir import training_key
    from fer_models.training.inputs.data import training_data
    from fer_models.training.resumable import Training, started_data, trained_network

    fold, label = named
    base = training_key(snapshot.ref, member, seed, teachers)
    key = json_key([base, "fold", fold, _digest(folds)])
    ref = store.ref(FoldRef, key, name=member.name, fold=fold)
    if store.reuse(ref):
        epochs = member.training.epochs
        report("train", epochs, epochs, "epochs", note=f"{label}: already trained")
        return ref
    everything = training_data(snapshot)
    data = replace(everything, train=everything.train.at((folds != fold).nonzero()[0]))
    data = started_data(store, data, member, teachers)
    training = Training(member, seed, key, label)
    facts = {**lineage(snapshot.ref.id, seed), "fold": fold}
    used = (snapshot.ref, *teachers)
    with trained_network(store, data, training, tracking, facts, used) as (trained, _):
        return _write(store, snapshot, ref, member, trained, folds, facts, teachers)


def _write(
    store: ArtifactStore,
    snapshot: "DatasetSnapshot",
    ref: FoldRef,
    member: MemberConfig,
    trained: "TrainedNetwork",
    folds: "Folds",
    facts: dict[str, object],
    teachers: Sequence[FoldRef],
) -> FoldRef:
    """Predict the left-out images and write the artifact of the fold."""
    from fer_models.training.artifact import network_files
    from fer_models.training.inputs.data import images_at
    from fer_models.training.predict import predict_probabilities

    positions = snapshot.positions("train")[folds == ref.fold]
    left_out = images_at(snapshot, positions)
    probs_NK = predict_probabilities(
        trained.network, trained.preprocessing, left_out.images, threads=member.training.threads
    )
    files = network_files(member, trained)
    files[PREDICTIONS_FILE] = fold_bytes(positions, probs_NK)
    facts = {**facts, "teachers": [teacher.id for teacher in teachers]}
    files["lineage.json"] = json_bytes(facts, allow_nan=True)
    info = {
        "name": member.name,
        "fold": ref.fold,
        "folds": member.out_of_fold.folds,
        "assignment": _digest(folds),
        "snapshot_id": snapshot.ref.id,
        "left_out": len(positions),
        "accuracy": float((probs_NK.argmax(1) == left_out.labels).mean()),
        "best_epoch": trained.best.epoch,
        "train_seconds": trained.train_seconds,
    }
    return store.put(FoldRef, ref.id, files, info, name=ref.name, fold=ref.fold)


def _teacher_fold(store: ArtifactStore, teacher: ModelRef, fold: int, folds: "Folds") -> FoldRef:
    """The teacher's network for the same fold, which has not seen the left-out images either."""
    for ref in folds_of(store, teacher):
        info = store.info(ref)
        if info["fold"] == fold and info["assignment"] == _digest(folds):
            return ref
    raise ConfigError(
        f"the teacher {teacher.id} has seen the images that are left out here: it has no network "
        f"for fold {fold + 1} of these {int(folds.max()) + 1} folds; train the teacher with the "
        "same out_of_fold.folds and seed, or set out_of_fold.folds=0"
    )


def _digest(folds: "Folds") -> str:
    return hashlib.sha256(folds.astype("<i8").tobytes()).hexdigest()[:24]
