"""The final fit of an ensemble: the same combination of the final fits of its networks.

M networks, N images, K classes.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

from fer_models.combination.stored import (
    Combination,
    StoredMember,
    combination_files,
    read_combination,
    weights_sha256,
)
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.artifact import LINEAGE_FILE
from fer_models.errors import DataError
from fer_models.evaluation.predictions import (
    FINAL_FIT_OF,
    PROBABILITIES_FILE,
    final_fit_of,
    final_name,
    networks_of,
    probabilities_bytes,
    read_predictions,
)
from fer_models.lineage import lineage
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_TEST = "test"


def write_final_ensemble(
    store: ArtifactStore, ensemble: ModelRef, finals: Sequence[ModelRef]
) -> ModelRef:
    """Combine the final fits of an ensemble's networks by the rule and temperature of the ensemble.

    Nothing is fitted: both were chosen on the validation images, which the final fits have learned
    from.

    Args:
        store: holds all models.
        ensemble: that was selected on the validation images.
        finals: the final fit of each of its networks.

    Returns:
        A model named `<name>-final`, with `final_fit_of` in its metadata and without a validation
        accuracy.

    Raises:
        DataError: a network has no final fit among them, or one has several.
        StoreError: a model is missing or damaged.

    Example:
        finals = [fit_final(store, network, tracking) for network in networks_of(store, ensemble)]
        final = write_final_ensemble(store, ensemble, finals)
    """
    before = store.info(ensemble)
    combination, _ = read_combination(store, ensemble)
    ordered = _in_order(store, ensemble, finals)
    files = combination_files(combination, [_stored(store, final) for final in ordered])
    snapshot = open_snapshot(store, store.ref(SnapshotRef, str(before["snapshot_id"])))
    seed, name = int(before["seed"]), final_name(ensemble.name)
    facts = lineage(snapshot.ref.id, seed) | {
        "members": [final.id for final in ordered],
        FINAL_FIT_OF: ensemble.id,
    }
    infos = [store.info(final) for final in ordered]
    info = {
        "name": name,
        "kind": "ensemble",
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
        kind="ensemble",
    )


def _in_order(
    store: ArtifactStore, ensemble: ModelRef, finals: Sequence[ModelRef]
) -> list[ModelRef]:
    """The final fits in the order of the networks that they repeat."""
    networks = [network.id for network in networks_of(store, ensemble)]
    by_base = {str(final_fit_of(store, final)): final for final in finals}
    if sorted(by_base) != sorted(networks) or len(finals) != len(networks):
        raise DataError(
            f"{ensemble.id}: expected a final fit of each of {', '.join(networks)}, got those of "
            f"{', '.join(by_base) or 'none'}"
        )
    return [by_base[network] for network in networks]


def _stored(store: ArtifactStore, final: ModelRef) -> StoredMember:
    return StoredMember(
        model_id=final.id, name=final.name, weights_sha256=weights_sha256(store, final)
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
