"""Evaluate one model on the validation and test images of its snapshot."""

import hashlib
from collections.abc import Sequence

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.metrics import Ints
from fer_models.evaluation.predictions import (
    Predictions,
    final_fit_of,
    held_out_splits,
    read_predictions,
)
from fer_models.evaluation.results import (
    TEST,
    TEST_WITHOUT_LEAKS,
    VALIDATION,
    ModelMetrics,
    score_split,
)
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

METRICS_FILE = "metrics.json"
_TRAIN = ("train",)


def evaluate_model(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef, config: EvaluationConfig
) -> EvaluationRef:
    """Score a model and store the metrics as an artifact.

    The splits are `validation` (used for model selection, hence optimistic), `test`, and
    `test_without_leaks`: test images without exact duplicates in the training split, quarantined
    training images included. Splits without images are omitted. A final fit has no `validation`,
    and for it copies of validation images are leaks, too: it was trained on them.

    Raises:
        DataError: the model's probabilities don't belong to this snapshot.
        StoreError: an artifact is missing or damaged.

    Example:
        evaluation = evaluate_model(store, snapshot, model, EvaluationConfig())
        read_evaluation(store, evaluation).splits["test"].accuracy
    """
    result = measure_model(store, open_snapshot(store, snapshot), model, config)
    content = result.model_dump_json(indent=1).encode()
    return store.put(
        EvaluationRef,
        hashlib.sha256(content).hexdigest()[:24],
        {METRICS_FILE: content},
        result.summary(),
        model_id=model.id,
    )


def read_evaluation(store: ArtifactStore, evaluation: EvaluationRef) -> ModelMetrics:
    """The metrics of a stored evaluation.

    Raises:
        StoreError: it is missing or damaged.
    """
    return ModelMetrics.model_validate_json(store.read_file(evaluation, METRICS_FILE))


def measure_model(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef, config: EvaluationConfig
) -> ModelMetrics:
    """The metrics of a model, without storing them.

    Raises:
        DataError: the model's probabilities don't belong to this snapshot.
        StoreError: an artifact is missing or damaged.
    """
    sets = read_predictions(store, snapshot, model, held_out_splits(store, model))
    test = sets[TEST]
    trained_on = _TRAIN if VALIDATION in sets else (*_TRAIN, VALIDATION)
    unseen = ~is_leaked(snapshot, test.positions, trained_on)
    sets[TEST_WITHOUT_LEAKS] = Predictions(
        test.positions[unseen], test.labels[unseen], test.probs_NK[unseen]
    )
    if not any(len(part.labels) for part in sets.values()):
        raise DataError(
            f"model {model.id}: snapshot {snapshot.ref.id[:12]} has no test images, and a final "
            f"fit can't be measured on others; evaluate {final_fit_of(store, model)}"
        )
    info = store.info(model)
    return ModelMetrics(
        model_id=model.id,
        model_name=model.name,
        kind=model.kind,
        snapshot_id=snapshot.ref.id,
        parameters=int(info["parameters"]),
        splits={
            name: score_split(part.probs_NK, part.labels, config, snapshot.classes.names)
            for name, part in sets.items()
            if len(part.labels)
        },
    )


def is_leaked(
    snapshot: DatasetSnapshot, positions: Ints, trained_on: Sequence[str] = _TRAIN
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether an image has an exact duplicate in the splits trained on, of any status; N bools."""
    table = snapshot.manifest
    in_training = set(table.loc[table["split"].isin(trained_on), "pixel_sha256"])
    shas = table["pixel_sha256"].to_numpy()[positions]
    return np.array([sha in in_training for sha in shas], dtype=np.bool_)
