"""Predictions that models are compared by: none by a rule that was fitted to its own image.

An ensemble whose rule was fitted to the validation images is too good on them: its stored
probabilities describe how it predicts, not how well. N validation images, K classes.
"""

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError
from fer_models.evaluation.metrics import Floats, probability_problems
from fer_models.evaluation.predictions import Predictions, read_predictions
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

CROSS_FITTED_FILE = "cross_fitted.npz"
_VALIDATION = "validation"


def cross_fitted_bytes(validation_NK: Floats) -> bytes:
    """Content of `cross_fitted.npz`: the compressed float32 array `validation`, N x K.

    Each image is predicted by a rule that was fitted without it and without its copies. Rows are
    the images in the order of `snapshot.positions("validation")`.
    """
    buffer = io.BytesIO()
    validation = np.ascontiguousarray(validation_NK, dtype=np.float32)
    np.savez_compressed(buffer, allow_pickle=False, validation=validation)
    return buffer.getvalue()


def read_comparable(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef, splits: Sequence[str]
) -> dict[str, Predictions]:
    """The predictions by split that a model is compared with others by.

    Those of `read_predictions`, except on the validation images of an ensemble that was fitted to
    them: these are cross-fitted. An ensemble of an earlier version has no cross-fitted ones.

    Raises:
        DataError: as `read_predictions`, or the cross-fitted predictions do not fit the snapshot.
        StoreError: the model is missing or damaged.

    Example:
        read_comparable(store, snapshot, ensemble, ("validation",))["validation"].correct.mean()
    """
    found = read_predictions(store, snapshot, model, splits)
    if _VALIDATION not in splits or CROSS_FITTED_FILE not in store.describe(model).files:
        return found
    with np.load(store.fetch(model, CROSS_FITTED_FILE), allow_pickle=False) as arrays:
        probs_NK = arrays[_VALIDATION].astype(np.float64)
    stored = found[_VALIDATION]
    problems = probability_problems(probs_NK, len(stored.labels), len(snapshot.classes))
    if problems:
        raise DataError(
            f"{model.url}/{CROSS_FITTED_FILE} does not fit snapshot {snapshot.ref.id}; "
            f"remove {model.url}, and build the ensemble again (`ferflow task ensemble`)",
            problems,
        )
    return {**found, _VALIDATION: replace(stored, probs_NK=probs_NK)}
