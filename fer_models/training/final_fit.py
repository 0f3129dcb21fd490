"""The final fit: train a selected network once more, on training and validation images together.

Everything was chosen before, on the validation images: settings, epoch, ensemble, promotion. The
final fit chooses nothing. It repeats the training with the same settings and seed on more images,
and ends after the epoch that was chosen. There is nothing left to measure it on but the test split.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fer_models.cluster_address import uses_cluster
from fer_models.errors import ConfigError, StoreError
from fer_models.evaluation.predictions import (
    AVERAGED,
    FINAL_FIT_OF,
    IMPORTED,
    final_fit_of,
    final_name,
    model_ref,
)
from fer_models.models.names import OWN_NAMES
from fer_models.progress import report
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import ENSEMBLE, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from fer_models.training.config import MemberConfig, OutOfFoldConfig

if TYPE_CHECKING:
    from fer_models.training.artifact import Origin


def fit_final(
    store: ArtifactStore, model: ModelRef, tracking: TrackingConfig, weights_dir: str | None = None
) -> ModelRef:
    """Train a stored network once more, on the training and validation images of its snapshot.

    Settings, seed, initial weights, teachers and schedules are those of the network. The training
    ends after its best epoch: the schedules are still those of all epochs, so that the final fit
    has the learning rate and the image size that the chosen epoch had. Test images are never
    trained on.

    A final fit that is stored is returned as it is; a training that was killed resumes from its
    last checkpoint. On a Ray cluster all of it runs on a node that has `member.placement`.

    Args:
        store: holds the network and its snapshot, and receives the final fit.
        model: a network that was selected on the validation images.
        tracking: experiment tracking of the training curve.
        weights_dir: folder of the weights that a network of timm's or dlib's started from, if any.

    Returns:
        The final fit, named `<name>-final`. Its metadata has `final_fit_of` and no validation
        accuracy, its probabilities are those of the test images.

    Raises:
        ConfigError: the model is a final fit itself, imported or averaged, or other pretrained
            weights are found.
        StoreError: an artifact is missing or damaged, or the model is an ensemble.
        TrainingError: the loss is not finite, or memory runs out.

    Example:
        final = fit_final(store, model, TrackingConfig())
        store.info(final)["final_fit_of"]  # model.id
    """
    member, info = _selected(store, model, weights_dir)
    if member.training.workers == 1 and uses_cluster():
        from fer_models.training.on_node import train_on_node

        label = f"{member.name}, final fit"
        return train_on_node(member, label, fit_final, store, model, tracking, weights_dir)
    epochs = int(info["best_epoch"])
    report("train", 0, epochs, "epochs", note=f"{member.name}, final fit: loading")
    from fer_models.dataset.snapshot import open_snapshot
    from fer_models.lineage import lineage
    from fer_models.training.artifact import write_model
    from fer_models.training.checkpoint_dir import training_key
    from fer_models.training.inputs.data import final_data
    from fer_models.training.resumable import Training, started_data, trained_network

    snapshot = store.ref(SnapshotRef, str(info["snapshot_id"]))
    seed, origin = int(info["seed"]), _origin(store, model, member)
    base = training_key(snapshot, member, seed, origin.teachers, origin.initial)
    key = json_key([base, "final fit", model.id, epochs])
    if (existing := _existing(store, member, key)) is not None:
        note = f"{member.name}, final fit: already trained"
        report("train", epochs, epochs, "epochs", note=note)
        return existing
    opened = open_snapshot(store, snapshot)
    data = final_data(opened, epochs)
    data = started_data(store, data, member, origin.teachers, origin.initial)
    training = Training(member, seed, key, f"{member.name}, final fit")
    facts = {**lineage(snapshot.id, seed), FINAL_FIT_OF: model.id}
    with trained_network(store, data, training, tracking, facts, (snapshot,)) as (trained, run):
        final = write_model(store, opened, member, seed, trained, replace(origin, training_key=key))
        run.made(final)
    return final


def check_selected(store: ArtifactStore, model: ModelRef) -> None:
    """Check that a model was selected on the validation images, and is no final fit itself.

    Raises:
        ConfigError: it is a final fit; names the model that it repeats.
        StoreError: the model is missing or damaged.
    """
    if base := final_fit_of(store, model):
        raise ConfigError(f"{model.id} is the final fit of {base}; train the final fit of that one")


def _selected(
    store: ArtifactStore, model: ModelRef, weights_dir: str | None
) -> tuple[MemberConfig, dict[str, Any]]:
    """The settings of the network that was selected, and its metadata."""
    check_selected(store, model)
    info = store.info(model)
    if info.get("kind") == ENSEMBLE:
        raise StoreError(f"{model.url}: expected a network, got an ensemble; use its members")
    if made := {AVERAGED, IMPORTED} & store.read_json(model, "lineage.json").keys():
        raise ConfigError(
            f"{model.id} was {made.pop()}, so there is no training of it to repeat; see "
            "fer_models.ensembling.final, or set final_fit.enabled=false"
        )
    member = MemberConfig.model_validate_json(store.read_file(model, "config.json"))
    network = member.network
    if network.pretrained and weights_dir is not None and network.name not in OWN_NAMES:
        network = network.model_copy(update={"weights_dir": weights_dir})
    # Out-of-fold predictions are for choices, and there are none left.
    return member.model_copy(update={"network": network, "out_of_fold": OutOfFoldConfig()}), info


def _origin(store: ArtifactStore, model: ModelRef, member: MemberConfig) -> "Origin":
    """What the network was trained from, which the final fit is trained from, too."""
    from fer_models.models.pretrained.start import pretrained_fingerprint
    from fer_models.training.artifact import Origin
    from fer_models.training.checkpoint_dir import bundled_fingerprints

    before = store.read_json(model, "lineage.json")
    found = pretrained_fingerprint(member.network)
    if found != before["pretrained"]:
        raise ConfigError(
            f"{model.id} started from the pretrained weights {before['pretrained']}, found "
            f"{found}; restore these weights, or set final_fit.enabled=false"
        )
    bundled = bundled_fingerprints(member)
    if bundled != before.get("bundled_teachers", {}):
        raise ConfigError(
            f"{model.id} had other shipped teachers ({', '.join(bundled)}) than this version of "
            "ferflow has; use the version that trained it, or set final_fit.enabled=false"
        )
    initial = before["initial"]
    return Origin(
        pretrained=found,
        teachers=tuple(model_ref(store, teacher) for teacher in before["teachers"]),
        initial=model_ref(store, initial) if initial else None,
        final_fit_of=model,
        bundled_teachers=bundled,
    )


def _existing(store: ArtifactStore, member: MemberConfig, key: str) -> ModelRef | None:
    """The stored final fit of the same training, if there is one."""
    from fer_models.training.artifact import TRAINING_KEY

    prefix = f"{final_name(member.name)}-"
    for model_id in store.list_ids(ModelRef):
        if model_id.startswith(prefix):
            ref = model_ref(store, model_id)
            if store.info(ref).get(TRAINING_KEY) == key:
                return ref
    return None
