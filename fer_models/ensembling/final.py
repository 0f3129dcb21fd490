"""The final fit of a model that is made of several networks: an ensemble, or an average of weights.

It is made of the final fits of those networks by the same rule. M networks, N images, K classes.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from fer_models.combination.stored import (
    Combination,
    combination_files,
    read_combination,
    stored_member,
)
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.artifact import LINEAGE_FILE
from fer_models.errors import ConfigError, DataError
from fer_models.evaluation.predictions import (
    AVERAGED,
    FINAL_FIT_OF,
    IMPORTED,
    PROBABILITIES_FILE,
    final_fit_of,
    final_name,
    model_ref,
    networks_of,
    probabilities_bytes,
    read_predictions,
)
from fer_models.lineage import lineage
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ENSEMBLE, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.final_fit import check_selected

_TEST = "test"


def networks_to_repeat(store: ArtifactStore, model: ModelRef) -> list[ModelRef]:
    """The networks that need a final fit for the final fit of `model`, each once.

    Those of an ensemble, those that an average is the mean of, or the network itself. Imported
    networks are not among them: there is no training of theirs to repeat.

    Raises:
        ConfigError: the model is a final fit itself, or all of it was imported.
        StoreError: the model or one of its networks is missing or damaged.
    """
    check_selected(store, model)
    found = list(dict.fromkeys(_trained(store, model)))
    if not found:
        raise ConfigError(
            f"{model.id} was imported, so there is no training of it to repeat; use a model that "
            "was trained in this store, or set final_fit.enabled=false"
        )
    return found


def write_final(store: ArtifactStore, model: ModelRef, finals: Sequence[ModelRef]) -> ModelRef:
    """Make the final fit of a model out of the final fits of its networks.

    An ensemble combines them by its own rule and temperature, an average is the mean of their
    weights. Nothing is fitted: rule and temperature were chosen on the validation images, which
    the final fits have learned from. An imported network stays as it is.

    Args:
        store: holds all models.
        model: that was selected on the validation images.
        finals: the final fit of each of `networks_to_repeat(store, model)`.

    Returns:
        A model named `<name>-final`, with `final_fit_of` in its metadata and without a validation
        accuracy; of a trained network the one final fit.

    Raises:
        ConfigError: the model is a final fit itself, or all of it was imported.
        DataError: a network has no final fit among them, or one has several.
        StoreError: a model is missing or damaged.

    Example:
        networks = networks_to_repeat(store, ensemble)
        finals = [fit_final(store, network, tracking) for network in networks]
        final = write_final(store, ensemble, finals)
    """
    networks = [network.id for network in networks_to_repeat(store, model)]
    by_base = {str(final_fit_of(store, final)): final for final in finals}
    if sorted(by_base) != sorted(networks) or len(finals) != len(networks):
        raise DataError(
            f"{model.id}: expected a final fit of each of {', '.join(networks)}, got those of "
            f"{', '.join(by_base) or 'none'}"
        )
    return _final_of(store, model, by_base)


def _trained(store: ArtifactStore, model: ModelRef) -> list[ModelRef]:
    """The networks that it is made of, without those that were imported."""
    parts = _parts(store, model)
    if parts:
        return [network for part in parts for network in _trained(store, part)]
    return [] if IMPORTED in store.read_json(model, LINEAGE_FILE) else [model]


def _parts(store: ArtifactStore, model: ModelRef) -> list[ModelRef]:
    """The networks of an ensemble or an average; none of a single network."""
    if model.kind == ENSEMBLE:
        return networks_of(store, model)
    return [model_ref(store, one) for one in store.read_json(model, LINEAGE_FILE).get(AVERAGED, [])]


def _final_of(store: ArtifactStore, model: ModelRef, by_base: Mapping[str, ModelRef]) -> ModelRef:
    """The final fit of a model, or the model if nothing of it was trained here."""
    parts = _parts(store, model)
    finals = [_final_of(store, part, by_base) for part in parts]
    if finals == parts:
        return by_base.get(model.id, model)
    if model.kind == ENSEMBLE:
        return _write_ensemble(store, model, finals)
    from fer_models.ensembling.averaging import final_average

    return final_average(store, model, finals)


def _write_ensemble(
    store: ArtifactStore, ensemble: ModelRef, ordered: Sequence[ModelRef]
) -> ModelRef:
    before = store.info(ensemble)
    combination, _ = read_combination(store, ensemble)
    files = combination_files(combination, [stored_member(store, final) for final in ordered])
    snapshot = open_snapshot(store, store.ref(SnapshotRef, str(before["snapshot_id"])))
    seed, name = int(before["seed"]), final_name(ensemble.name)
    facts = lineage(snapshot.ref.id, seed) | {
        "members": [final.id for final in ordered],
        FINAL_FIT_OF: ensemble.id,
    }
    infos = [store.info(final) for final in ordered]
    info = {
        "name": name,
        "kind": ENSEMBLE,
        "snapshot_id": snapshot.ref.id,
        "seed": seed,
        "parameters": before["parameters"],
        "validation_accuracy": None,
        "train_seconds": sum(float(one["train_seconds"]) for one in infos),
        FINAL_FIT_OF: ensemble.id,
    }
    digest = hashlib.sha256(b"\0".join([*files.values(), ensemble.id.encode()])).hexdigest()
    return store.put(
        ModelRef,
        f"{name}-{digest[:12]}",
        {
            **files,
            PROBABILITIES_FILE: _test_probabilities(store, snapshot, combination, ordered),
            LINEAGE_FILE: json_bytes(facts, sort_keys=False),
        },
        info,
        name=name,
        kind=ENSEMBLE,
    )


def _test_probabilities(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    combination: Combination,
    finals: Sequence[ModelRef],
) -> bytes:
    probs_MNK = np.stack(
        [read_predictions(store, snapshot, final, (_TEST,))[_TEST].probs_NK for final in finals]
    )
    return probabilities_bytes(None, combination.predict(probs_MNK))
