"""A model's stored probabilities: the file format, and reading them aligned with the snapshot."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.metrics import Floats, Ints, probability_problems
from fer_models.storage.refs import ENSEMBLE, NETWORK, ModelRef
from fer_models.storage.store import ArtifactStore

PROBABILITIES_FILE = "probabilities.npz"
FINAL_FIT_OF = "final_fit_of"
"""In the metadata of a final fit: the id of the model that it repeats on more images."""
IMPORTED = "imported"
"""In the lineage of a model that was imported: what its bundle says of the training."""
AVERAGED = "averaged"
"""In the lineage of a model: the ids of the networks of whose weights it is the mean."""
_FINAL_SUFFIX = "-final"
OUT_OF_FOLD_FILE = "out_of_fold.npz"
_MEMBERS_FILE = "members.json"
_SPLITS = ("validation", "test")


@dataclass(frozen=True)
class Predictions:
    """Probabilities (N x K, float64) of a split's kept images, with positions and labels (N)."""

    positions: Ints
    labels: Ints
    probs_NK: npt.NDArray[np.float64]
    folds: Ints | None = None
    """Of each image, for out-of-fold predictions: its network was trained on the other folds."""

    @property
    def correct(self) -> Any:
        """Whether the most probable class is the label, a bool array of N."""
        return self.probs_NK.argmax(axis=1) == self.labels


def model_ref(store: ArtifactStore, model_id: str) -> ModelRef:
    """The reference to a model of which only the id is known (as in the registry).

    Raises:
        StoreError: the model is not in the store.
    """
    ref = store.ref(ModelRef, model_id, name=model_id)
    info = store.info(ref)
    return ref.model_copy(
        update={"name": info.get("name", model_id), "kind": info.get("kind", NETWORK)}
    )


def model_classes_of(store: ArtifactStore, model: ModelRef) -> ClassList:
    """The classes of a stored network or ensemble, without loading it.

    Raises:
        StoreError: the model, or the first member of an ensemble, is missing or damaged.
    """
    return ClassList.named(model_preprocessing(store, model)["classes"])


def networks_of(store: ArtifactStore, model: ModelRef) -> list[ModelRef]:
    """The networks of an ensemble, in its order, or the network itself.

    Raises:
        StoreError: the model or one of its networks is missing or damaged.
    """
    if _MEMBERS_FILE not in store.describe(model).files:
        return [model]
    return [model_ref(store, str(row["model_id"])) for row in store.read_json(model, _MEMBERS_FILE)]


def model_preprocessing(store: ArtifactStore, model: ModelRef) -> dict[str, Any]:
    """The stored preprocessing of a network, or of the first member of an ensemble.

    Raises:
        StoreError: the model, or the first member of an ensemble, is missing or damaged.
    """
    if _MEMBERS_FILE in store.describe(model).files:
        first = store.read_json(model, _MEMBERS_FILE)[0]
        model = model_ref(store, str(first["model_id"]))
    facts: dict[str, Any] = store.read_json(model, "preprocessing.json")
    return facts


def _remake(model: ModelRef) -> str:
    """What to do about a model with the wrong content, for messages.

    A model in the store is kept as it is when the same one is made again, so it has to go first.
    """
    step = "ensemble" if model.kind == ENSEMBLE else "train"
    return (
        f"remove {model.url}, then run again what made it: the same `ferflow run`, or the step "
        f"alone, such as `ferflow task {step}`"
    )


def final_name(name: str) -> str:
    """The name of the final fit of a model."""
    return f"{name}{_FINAL_SUFFIX}"


def final_fit_of(store: ArtifactStore, model: ModelRef) -> str | None:
    """The id of the model that a final fit repeats on training and validation images together.

    None for any other model. That model was selected on the validation images and can be measured
    on them; the final fit has learned from them.

    Raises:
        StoreError: the model is missing or damaged.
    """
    base = store.info(model).get(FINAL_FIT_OF)
    return None if base is None else str(base)


def selected_model(store: ArtifactStore, model: ModelRef) -> ModelRef:
    """The model that was selected on the validation images: the given one, or what it repeats.

    Comparisons on validation images need it in place of a final fit, and so does whatever must not
    have learned from them.

    Raises:
        StoreError: a model is missing or damaged.
    """
    base = final_fit_of(store, model)
    return model if base is None else model_ref(store, base)


def held_out_splits(store: ArtifactStore, model: ModelRef) -> tuple[str, ...]:
    """The splits that a model has predictions of: `validation` and `test`, a final fit `test`.

    Raises:
        StoreError: the model is missing or damaged.
    """
    return _SPLITS if final_fit_of(store, model) is None else ("test",)


def read_predictions(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    model: ModelRef,
    splits: Sequence[str] = _SPLITS,
) -> dict[str, Predictions]:
    """The model's predictions by split (`validation` and `test`; either may have no images).

    Args:
        store: holds the model.
        snapshot: that it was trained on.
        model: a network or an ensemble.
        splits: those to read, see `held_out_splits`.

    Raises:
        DataError: they belong to another snapshot, or are not probabilities, or the model is a
            final fit, which has none of the validation images; lists all problems.
        StoreError: the model is missing or damaged.
    """
    _check_snapshot(store, snapshot, model)
    base = final_fit_of(store, model)
    if base is not None and "validation" in splits:
        raise DataError(
            f"model {model.id} is the final fit of {base}: it was trained on the validation "
            f"images, so nothing can be measured on them; use {base}"
        )
    arrays = _load_arrays(store, model, PROBABILITIES_FILE)
    positions = {split: snapshot.positions(split) for split in splits}
    problems = [
        f"{split}: {problem}"
        for split in splits
        for problem in _array_problems(arrays, split, len(positions[split]), len(snapshot.classes))
    ]
    if problems:
        raise DataError(
            f"{model.url}/{PROBABILITIES_FILE} does not fit snapshot {snapshot.ref.id}; "
            f"{_remake(model)}",
            problems,
        )
    return {
        split: Predictions(
            positions=positions[split],
            labels=snapshot.labels(positions[split]),
            probs_NK=arrays[split].astype(np.float64),
        )
        for split in splits
    }


def probabilities_bytes(validation: Floats | None, test: Floats) -> bytes:
    """Content of `probabilities.npz`: compressed float32 arrays `validation` and `test`, N x K.

    A final fit has no `validation` (None), because it was trained on these images.
    """
    arrays = {"test": test} if validation is None else {"validation": validation, "test": test}
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        allow_pickle=False,
        **{name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()},
    )
    return buffer.getvalue()


def read_out_of_fold(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef
) -> Predictions | None:
    """Predictions of the training images by networks that were not trained on them.

    Rows are in the order of `snapshot.positions("train")`; `folds` has the fold of each image.

    Returns:
        None if the model has none, because its member was trained without `out_of_fold`.

    Raises:
        DataError: they belong to another snapshot, or are not probabilities; lists all problems.
        StoreError: the model is missing or damaged.

    Example:
        predictions = read_out_of_fold(store, snapshot, model)
        if predictions is not None:
            accuracy = predictions.correct.mean()  # of images that no network was trained on
    """
    if OUT_OF_FOLD_FILE not in store.describe(model).files:
        return None
    _check_snapshot(store, snapshot, model)
    arrays = _load_arrays(store, model, OUT_OF_FOLD_FILE)
    positions = snapshot.positions("train")
    problems = _array_problems(arrays, "probabilities", len(positions), len(snapshot.classes))
    folds = arrays.get("folds")
    if folds is None:
        problems.append("array folds is missing")
    elif folds.shape != (len(positions),) or folds.dtype.kind not in "iu" or (folds < 0).any():
        problems.append(f"folds: expected {len(positions)} fold numbers, got {folds.shape}")
    if problems or folds is None:
        raise DataError(
            f"{model.url}/{OUT_OF_FOLD_FILE} does not fit snapshot {snapshot.ref.id}; "
            f"{_remake(model)}",
            problems,
        )
    return Predictions(
        positions=positions,
        labels=snapshot.labels(positions),
        probs_NK=arrays["probabilities"].astype(np.float64),
        folds=folds.astype(np.int64),
    )


def out_of_fold_bytes(probs_NK: Floats, folds_N: Ints) -> bytes:
    """Content of `out_of_fold.npz`: `probabilities` (float32, N x K) and `folds` (int8, N).

    Rows are the training images in the order of `snapshot.positions("train")`.
    """
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        probabilities=np.ascontiguousarray(probs_NK, dtype=np.float32),
        folds=np.ascontiguousarray(folds_N, dtype=np.int8),
    )
    return buffer.getvalue()


def _check_snapshot(store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef) -> None:
    trained_on = store.info(model).get("snapshot_id")
    if trained_on != snapshot.ref.id:
        raise DataError(
            f"model {model.id} was trained on another snapshot: expected {snapshot.ref.id}, "
            f"got {trained_on}; use that snapshot, or train the model on this one"
        )


def _load_arrays(store: ArtifactStore, model: ModelRef, file: str) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(store.fetch(model, file), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except ValueError as error:
        raise StoreError(
            f"{model.url}/{file}: expected numpy arrays: {error}; {_remake(model)}"
        ) from error


def _array_problems(
    arrays: dict[str, npt.NDArray[Any]], split: str, num_rows: int, num_classes: int
) -> list[str]:
    if split not in arrays:
        return [f"array missing; the file contains {', '.join(arrays) or 'none'}"]
    return probability_problems(arrays[split], num_rows, num_classes)
