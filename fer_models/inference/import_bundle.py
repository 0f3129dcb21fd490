"""Import a weight bundle into a store, where it is a model like those trained there.

N images, K classes.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fer_models.bundles.bundle import Bundle, EnsembleBundle, load_any_bundle
from fer_models.bundles.facts import BundleFacts, CommonFacts, EnsembleFacts
from fer_models.bundles.names import bundle_of, is_bundle
from fer_models.combination.stored import combination_files, stored_member
from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.predictions import (
    IMPORTED,
    PROBABILITIES_FILE,
    probabilities_bytes,
    read_predictions,
)
from fer_models.models.factory import count_parameters
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ENSEMBLE, NETWORK, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.artifact import (
    predict_splits,
    prediction_files,
    validation_accuracy,
    validation_facts,
)
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.data import Probabilities

_ID_LENGTH = 12
_SPLITS = ("validation", "test")
_LINEAGE_FILE = "lineage.json"


def import_bundle(store: ArtifactStore, name: str, snapshot: SnapshotRef) -> ModelRef:
    """Store the model of a bundle, with its predictions for a snapshot's held-out images.

    It can then be compared, combined and promoted. The networks of an ensemble are stored, too,
    each as a model of its own. If held-out images were among their training images, the validation
    accuracy is too good; the sets of unseen images leave these out if the snapshot that the bundle
    names is in the store. A final fit is refused: it has learned from the validation images of its
    data.

    Args:
        store: contains the snapshot, receives the model.
        name: `bundled`, `bundled:NAME`, or the path of a bundle.
        snapshot: split, with the classes and the image format of the bundle.

    Raises:
        StoreError: there is no such bundle or snapshot, or the bundle is damaged.
        DataError: the snapshot has no validation images, other classes or another image format, or
            the bundle is a final fit; lists all problems.

    Example:
        model = import_bundle(store, "bundled:face_cnn", snapshot)
        store.info(model)["validation_accuracy"]
    """
    if not is_bundle(name):
        raise StoreError(
            f"{name}: expected a bundle: bundled, bundled:NAME, or the path of its .json file"
        )
    bundle = load_any_bundle(bundle_of(name)[1])
    opened = open_snapshot(store, snapshot)
    _check(bundle, opened)
    if isinstance(bundle, Bundle):
        return _write_network(store, opened, bundle, bundle.facts)
    networks = [
        _write_network(store, opened, _one(bundle, number), bundle.facts)
        for number in range(len(bundle.members))
    ]
    return _write_ensemble(store, opened, bundle, networks)


def _one(ensemble: EnsembleBundle, number: int) -> Bundle:
    """A network of an ensemble, with metadata as in a bundle of its own."""
    facts, member = ensemble.facts, ensemble.facts.members[number]
    own = BundleFacts.model_validate(
        facts.model_dump(include=set(CommonFacts.model_fields))
        | member.model_dump(include={"seed", "train_seconds", "member", "preprocessing"})
        | {"name": member.member.name, "weights_sha256": member.weights.sha256}
        | {"accuracy": {}, "speeds": {}}
    )
    return Bundle(*ensemble.members[number], own)


def _write_network(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    bundle: Bundle,
    source: BundleFacts | EnsembleFacts,
) -> ModelRef:
    """Store a network; `source` describes the bundle that it is from."""
    facts = bundle.facts
    settings = facts.member.model_dump(mode="json") | {"name": facts.name}
    member = MemberConfig.model_validate(settings)
    files = prediction_files(member, bundle.network, bundle.preprocessing)
    model = _reference(store, snapshot, facts.name, files, NETWORK)
    if store.reuse(model):
        return model
    probabilities = predict_splits(
        bundle.network, bundle.preprocessing, snapshot, _SPLITS, ("import", facts.name)
    )
    measured = validation_facts(
        bundle.network, bundle.preprocessing, snapshot, probabilities["validation"]
    )
    measured["parameters"] = count_parameters(bundle.network)
    return _put(store, snapshot, model, files, facts, probabilities, measured, _lineage(source))


def _write_ensemble(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    bundle: EnsembleBundle,
    networks: Sequence[ModelRef],
) -> ModelRef:
    facts = bundle.facts
    files = combination_files(bundle.combination, [stored_member(store, one) for one in networks])
    predictions = [read_predictions(store, snapshot, one, _SPLITS) for one in networks]
    probabilities = {
        split: bundle.combination.predict(np.stack([one[split].probs_NK for one in predictions]))
        for split in _SPLITS
    }
    model = _reference(store, snapshot, facts.name, files, ENSEMBLE)
    measured = {
        "validation_accuracy": validation_accuracy(snapshot, probabilities["validation"]),
        "parameters": sum(count_parameters(network) for network, _ in bundle.members),
    }
    found = _lineage(facts) | {"members": [one.id for one in networks]}
    return _put(store, snapshot, model, files, facts, probabilities, measured, found)


def _reference(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    name: str,
    files: Mapping[str, bytes],
    kind: str,
) -> ModelRef:
    """Of the model with these files; the id is a hash of them and of the snapshot's id."""
    digest = hashlib.sha256(b"".join([*files.values(), snapshot.ref.id.encode()])).hexdigest()
    return store.ref(ModelRef, f"{name}-{digest[:_ID_LENGTH]}", name=name, kind=kind)


def _put(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    model: ModelRef,
    files: Mapping[str, bytes],
    facts: CommonFacts,
    probabilities: Mapping[str, Probabilities],
    measured: Mapping[str, Any],
    lineage: Mapping[str, Any],
) -> ModelRef:
    return store.put(
        ModelRef,
        model.id,
        {
            **files,
            PROBABILITIES_FILE: probabilities_bytes(**probabilities),
            _LINEAGE_FILE: json_bytes(dict(lineage), allow_nan=True),
        },
        {
            "name": model.name,
            "kind": model.kind,
            "snapshot_id": snapshot.ref.id,
            "seed": facts.seed,
            "train_seconds": facts.train_seconds,
            **measured,
        },
        name=model.name,
        kind=model.kind,
    )


def _check(bundle: Bundle | EnsembleBundle, snapshot: DatasetSnapshot) -> None:
    problems = []
    expected, found = list(bundle.facts.classes), list(snapshot.classes.names)
    if expected != found:
        problems.append(f"classes: expected {', '.join(expected)}, got {', '.join(found)}")
    image_format, theirs = recorded_format(bundle.preprocessing), snapshot.image_format
    if image_format != theirs:
        problems.append(f"images: expected {image_format}, got {theirs}")
    if bundle.facts.final_fit_of:
        problems.append(
            f"{bundle.facts.name} is a final fit: it has learned from the validation images of its "
            f"data, too, and would be compared on them; import the bundle of "
            f"{bundle.facts.final_fit_of}, which it repeats"
        )
    if not len(snapshot.positions("validation")):
        problems.append("no validation images: split the data first (ferflow task split)")
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id}: expected held-out images that {bundle.facts.name} can "
            "predict; choose another --snapshot, or another bundle",
            problems,
        )


def _lineage(facts: BundleFacts | EnsembleFacts) -> dict[str, Any]:
    """Of the training, as far as the bundle says; the keys are those of `lineage`."""
    return {
        "dataset_sha": facts.snapshot_id,
        "seed": facts.seed,
        "code": {},
        "ferflow": facts.ferflow,
        "source_sha": None,
        "packages": {},
        "python": None,
        "platform": facts.machine,
        "machine": {},
        IMPORTED: facts.model_dump(
            mode="json", include=set(CommonFacts.model_fields) - {"familiarity"}
        ),
    }
