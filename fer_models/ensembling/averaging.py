"""Average the weights of several networks into one (a model soup, Wortsman et al. 2022).

Trainings that went on from the same weights often end in one basin of the loss: the mean of their
weights is then a network as good as their ensemble, at the cost of one.
"""

import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.artifact import LINEAGE_FILE
from fer_models.errors import DataError
from fer_models.evaluation.predictions import (
    AVERAGED,
    FINAL_FIT_OF,
    PROBABILITIES_FILE,
    final_name,
    model_preprocessing,
    probabilities_bytes,
    selected_model,
)
from fer_models.lineage import lineage
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ENSEMBLE, NETWORK, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.artifact import predict_splits, prediction_files, validation_facts
from fer_models.training.config import MemberConfig
from fer_models.training.initial import why_not_initial
from fer_models.training.predict import load_network

_ID_LENGTH = 12
_NORMALISATION = 0.02
"""By how much mean and standard deviation of the inputs may differ, of a range of 0..1."""


def average_networks(store: ArtifactStore, models: Sequence[ModelRef], name: str = "") -> ModelRef:
    """Store the network whose weights and running statistics are the mean of those of `models`.

    Whether that is a good network, its accuracy on the validation images says: the mean of networks
    that were trained from different random weights is none. Nothing is fitted.

    If final fits are among them, the average has learned from the validation images, too. It is
    then the final fit of the average of the networks that they repeat, which is stored first.

    Args:
        store: holds the networks and the snapshot that they predicted, and receives the average.
        models: at least two networks of the same architecture, input and classes.
        name: of the average; that of the first network by default.

    Returns:
        A network with the settings and the seed of the first one, and the training seconds of all.

    Raises:
        DataError: the networks differ, or one of them is an ensemble; lists all problems.
        StoreError: a model is missing or damaged.

    Example:
        first, second = (train_member(store, snapshot, member, seed, tracking, initial=start)
                         for seed in (0, 1))
        model = average_networks(store, [first, second])
        store.info(model)["validation_accuracy"]
    """
    snapshot = _checked(store, models)
    bases = [selected_model(store, model) for model in models]
    name = name or bases[0].name
    if bases == list(models):
        return _write(store, snapshot, models, name)
    return _write(store, snapshot, models, final_name(name), average_networks(store, bases, name))


def final_average(store: ArtifactStore, average: ModelRef, models: Sequence[ModelRef]) -> ModelRef:
    """Store the final fit of an average: the mean of the weights of `models`.

    Args:
        store: holds all networks.
        average: that was made of other networks by `average_networks`.
        models: for each of these its final fit, or the same network again.

    Raises:
        DataError: the networks differ; lists all problems.
        StoreError: a model is missing or damaged.
    """
    return _write(store, _checked(store, models), models, final_name(average.name), average)


def _write(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    models: Sequence[ModelRef],
    name: str,
    base: ModelRef | None = None,
) -> ModelRef:
    """Store the average; with `base` as the final fit of that one."""
    member = MemberConfig.model_validate_json(store.read_file(models[0], "config.json"))
    member = member.model_copy(update={"name": name})
    networks = [load_network(store, model) for model in models]
    network, preprocessing = networks[0]
    network.load_state_dict(_mean([one.state_dict() for one, _ in networks]))
    files, ids = prediction_files(member, network, preprocessing), [model.id for model in models]
    digest = hashlib.sha256(b"".join([*files.values(), *map(str.encode, ids)])).hexdigest()
    made = store.ref(ModelRef, f"{name}-{digest[:_ID_LENGTH]}", name=name, kind=NETWORK)
    if store.reuse(made):
        return made
    splits = ("validation", "test") if base is None else ("test",)
    predicted = predict_splits(network, preprocessing, snapshot, splits, ("average", name))
    validation_NK = predicted.get("validation")
    infos = [store.info(model) for model in models]
    seed = int(infos[0]["seed"])
    of_base = {} if base is None else {FINAL_FIT_OF: base.id}
    facts = lineage(snapshot.ref.id, seed) | {AVERAGED: ids} | of_base
    return store.put(
        ModelRef,
        made.id,
        {
            **files,
            PROBABILITIES_FILE: probabilities_bytes(validation_NK, predicted["test"]),
            LINEAGE_FILE: json_bytes(facts, sort_keys=False),
        },
        {
            "name": name,
            "kind": NETWORK,
            "snapshot_id": snapshot.ref.id,
            "seed": seed,
            "parameters": infos[0]["parameters"],
            **validation_facts(network, preprocessing, snapshot, validation_NK),
            "train_seconds": sum(float(info["train_seconds"]) for info in infos),
            **of_base,
        },
        name=name,
        kind=NETWORK,
    )


def _checked(store: ArtifactStore, models: Sequence[ModelRef]) -> DatasetSnapshot:
    """The snapshot that all of them predicted, if they can be averaged."""
    ids = [model.id for model in models]
    problems = [f"{one} is given more than once" for one in sorted(set(ids)) if ids.count(one) > 1]
    if len(models) < 2:
        problems.append(f"expected at least two networks, got {', '.join(ids) or 'none'}")
    problems += [f"{model.id} is an ensemble" for model in models if model.kind == ENSEMBLE]
    snapshots = {str(store.info(model)["snapshot_id"]) for model in models}
    if len(snapshots) > 1:
        problems.append(f"they belong to different snapshots: {', '.join(sorted(snapshots))}")
    if problems:
        raise DataError("expected networks whose weights can be averaged", problems)
    snapshot = open_snapshot(store, store.ref(SnapshotRef, snapshots.pop()))
    if problems := _differences(store, snapshot, models):
        raise DataError("expected networks whose weights can be averaged", problems)
    return snapshot


def _differences(
    store: ArtifactStore, snapshot: DatasetSnapshot, models: Sequence[ModelRef]
) -> list[str]:
    first = MemberConfig.model_validate_json(store.read_file(models[0], "config.json")).network
    wanted = model_preprocessing(store, models[0])
    first = first.model_copy(
        update={name: wanted[name] for name in ("image_size_px", "in_channels")}
    )
    problems = []
    for model in models[1:]:
        if reason := why_not_initial(store, model, first, snapshot.classes):
            problems.append(reason)
            continue
        found = model_preprocessing(store, model)
        if found["image_size_px"] != wanted["image_size_px"]:
            problems.append(
                f"{model.id} has other inputs: {found['image_size_px']} px, not "
                f"{wanted['image_size_px']} px"
            )
        problems += [
            f"{model.id} has other inputs: {name} {found[name]:.3f}, not {wanted[name]:.3f}"
            for name in ("mean", "std")
            if abs(found[name] - wanted[name]) > _NORMALISATION
        ]
    return problems


def _mean(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of all weights; counters are those of the first network."""
    return {
        key: torch.stack([state[key].double() for state in states]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value
        for key, value in states[0].items()
    }
