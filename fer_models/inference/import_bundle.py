"""Import the bundle of a network into a store, where it is a model like those trained there.

N images, K classes.
"""

import hashlib
from typing import Any

from fer_models.bundles.bundle import Bundle, load_bundle
from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.names import bundle_of, is_bundle
from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.predictions import (
    IMPORTED,
    PROBABILITIES_FILE,
    probabilities_bytes,
)
from fer_models.models.factory import count_parameters
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import NETWORK, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.artifact import predict_splits, prediction_files, validation_accuracy
from fer_models.training.config import MemberConfig

_ID_LENGTH = 12


def import_bundle(store: ArtifactStore, name: str, snapshot: SnapshotRef) -> ModelRef:
    """Store the network of a bundle, with its predictions for a snapshot's held-out images.

    It can then be compared, combined and promoted. Unless it was trained on that snapshot, its
    training images are not known here: if some of the held-out images were among them, its accuracy
    is too good. A final fit is refused: it has learned from the validation images of its data.

    Args:
        store: contains the snapshot, receives the model.
        name: `bundled`, `bundled:NAME`, or the path of a bundle.
        snapshot: split, with the classes and the image format of the bundle.

    Raises:
        StoreError: there is no such bundle or snapshot, or the bundle is damaged or an ensemble.
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
    bundle = load_bundle(bundle_of(name)[1])
    opened = open_snapshot(store, snapshot)
    _check(bundle, opened)
    facts = bundle.facts
    settings = facts.member.model_dump(mode="json") | {"name": facts.name}
    member = MemberConfig.model_validate(settings)
    probabilities = predict_splits(
        bundle.network, bundle.preprocessing, opened, ("validation", "test"), stage="import"
    )
    files = prediction_files(member, bundle.network, bundle.preprocessing)
    digest = hashlib.sha256(b"".join([*files.values(), snapshot.id.encode()])).hexdigest()
    files[PROBABILITIES_FILE] = probabilities_bytes(**probabilities)
    files["lineage.json"] = json_bytes(_lineage(facts), allow_nan=True)
    info = {
        "name": facts.name,
        "kind": NETWORK,
        "snapshot_id": snapshot.id,
        "seed": facts.seed,
        "parameters": count_parameters(bundle.network),
        "validation_accuracy": validation_accuracy(opened, probabilities["validation"]),
        "train_seconds": facts.train_seconds,
    }
    model_id = f"{facts.name}-{digest[:_ID_LENGTH]}"
    return store.put(ModelRef, model_id, files, info, name=facts.name)


def _check(bundle: Bundle, snapshot: DatasetSnapshot) -> None:
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
            f"data, too, and would be compared on them; import {bundle.facts.final_fit_of}, which "
            "it repeats"
        )
    if not len(snapshot.positions("validation")):
        problems.append("no validation images: split the data first (ferflow task split)")
    if problems:
        raise DataError(
            f"snapshot {snapshot.ref.id}: expected held-out images that {bundle.facts.name} can "
            "predict; choose another --snapshot",
            problems,
        )


def _lineage(facts: BundleFacts) -> dict[str, Any]:
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
        IMPORTED: facts.model_dump(mode="json", exclude={"member", "preprocessing", "familiarity"}),
    }
