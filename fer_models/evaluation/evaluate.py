"""Evaluate one model on the validation and test images of its snapshot."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.dataset.copies import Copies, find_copies
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.bootstrap import GroupBootstrap
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.crowd import crowd_metrics
from fer_models.evaluation.metrics import Ints
from fer_models.evaluation.predictions import (
    Predictions,
    held_out_splits,
    read_predictions,
    selected_model,
)
from fer_models.evaluation.results import (
    TEST,
    TEST_WITHOUT_LEAKS,
    TEST_WITHOUT_NEAR_COPIES,
    VALIDATION,
    VALIDATION_WITHOUT_LEAKS,
    VALIDATION_WITHOUT_NEAR_COPIES,
    ModelMetrics,
    SliceColumn,
    SplitMetrics,
)
from fer_models.evaluation.scoring import ScoredImages, score_split
from fer_models.evaluation.seen.images import exactly_seen, seen_with_near_copies
from fer_models.evaluation.seen.trainings import Training, trainings_of
from fer_models.evaluation.slices import score_slices, slice_properties
from fer_models.evaluation.temperature import apply_temperature, fit_temperature
from fer_models.labels import VOTE_COLUMNS
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

METRICS_FILE = "metrics.json"
_TRAIN = ("train",)

Mask = npt.NDArray[np.bool_]


def evaluate_model(
    store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef, config: EvaluationConfig
) -> EvaluationRef:
    """Score a model and store the metrics as an artifact.

    The sets of images are `validation` (used for model selection, hence optimistic), `test`,
    `test_without_leaks`: without exact copies of training images, and `test_without_near_copies`:
    without near copies as well (another crop or light, mirrored). Quarantined training images
    count as training images, and so do those of other snapshots that the weights were trained on
    before (see `trainings_of`). Without a test split, `validation_without_...` take their place.
    Sets without images are omitted.

    A final fit has learned from the validation images. It has no `validation`, these images count
    as training images, and the temperature is that of the model that it repeats.

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
        StoreError: it is missing or damaged, or was written by another version.
    """
    content = store.read_file(evaluation, METRICS_FILE)
    try:
        return ModelMetrics.model_validate_json(content)
    except ValueError as error:
        raise StoreError(
            f"{evaluation.url}/{METRICS_FILE}: not the metrics of this version of ferflow; "
            "evaluate the model again (ferflow task evaluate --model ID)"
        ) from error


def measure_model(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef, config: EvaluationConfig
) -> ModelMetrics:
    """The metrics of a model, without storing them.

    Raises:
        DataError: the model's probabilities don't belong to this snapshot.
        StoreError: an artifact is missing or damaged.
    """
    predictions = read_predictions(store, snapshot, model, held_out_splits(store, model))
    copies, validation = find_copies(store, snapshot), predictions.get(VALIDATION)
    headline = TEST if len(predictions[TEST].labels) else VALIDATION
    if validation is None:
        selected = selected_model(store, model)
        _check_test_images(snapshot, model, selected, predictions[TEST])
        validation = read_predictions(store, snapshot, selected)[VALIDATION]
        copies = copies_with_validation(copies, snapshot)
    copies = _with_other_trainings(store, snapshot, model, copies)
    temperature, scored = _calibrated(validation, predictions, copies.group, config)
    splits: dict[str, SplitMetrics] = {}
    slices: tuple[SliceColumn, ...] = ()
    for split, images in scored.items():
        positions = predictions[split].positions
        for name, mask in _sets(split, positions, copies, headline).items():
            if mask.any():
                part, rows = images.at(mask), positions[mask]
                bootstrap = GroupBootstrap(
                    part.groups, config.bootstrap_replicates, config.bootstrap_seed
                )
                splits[name] = _score(snapshot, part, rows, config, bootstrap)
                if name == headline:
                    properties = slice_properties(store, snapshot, rows)
                    slices = score_slices(part, properties, config, bootstrap)
    info = store.info(model)
    return ModelMetrics(
        model_id=model.id,
        model_name=model.name,
        kind=model.kind,
        snapshot_id=snapshot.ref.id,
        parameters=int(info["parameters"]),
        settings=config,
        temperature=temperature,
        splits=splits,
        sliced_split=headline,
        slices=slices,
    )


def is_leaked(
    snapshot: DatasetSnapshot, positions: Ints, trained_on: Sequence[str] = _TRAIN
) -> Mask:
    """Whether an image has an exact duplicate in the splits trained on, of any status; N bools."""
    table = snapshot.manifest
    in_training = set(table.loc[table["split"].isin(trained_on), "pixel_sha256"])
    shas = table["pixel_sha256"].to_numpy()[positions]
    return np.array([sha in in_training for sha in shas], dtype=np.bool_)


def _sets(split: str, positions: Ints, copies: Copies, headline: str) -> dict[str, Mask]:
    """The sets that the images of a split belong to, as masks."""
    sets: dict[str, Mask] = {split: np.ones(len(positions), dtype=np.bool_)}
    if split == headline:
        is_test = split == TEST
        no_leaks = TEST_WITHOUT_LEAKS if is_test else VALIDATION_WITHOUT_LEAKS
        no_copies = TEST_WITHOUT_NEAR_COPIES if is_test else VALIDATION_WITHOUT_NEAR_COPIES
        sets[no_leaks] = ~copies.in_training[positions]
        sets[no_copies] = ~copies.near_training[positions]
    return sets


def _score(
    snapshot: DatasetSnapshot,
    images: ScoredImages,
    positions: Ints,
    config: EvaluationConfig,
    bootstrap: GroupBootstrap,
) -> SplitMetrics:
    votes_NV = snapshot.manifest[list(VOTE_COLUMNS)].to_numpy(dtype=np.int64)[positions]
    crowd = crowd_metrics(
        images.probs_NK, images.labels, votes_NV, images.groups, snapshot.classes, config.confidence
    )
    return score_split(images, bootstrap, config, snapshot.classes.names, crowd)


def _check_test_images(
    snapshot: DatasetSnapshot, model: ModelRef, selected: ModelRef, test: Predictions
) -> None:
    if not len(test.labels):
        raise DataError(
            f"model {model.id}: snapshot {snapshot.ref.id[:12]} has no test images, and a final "
            f"fit can't be measured on others; evaluate {selected.id}"
        )


def copies_with_validation(copies: Copies, snapshot: DatasetSnapshot) -> Copies:
    """The copies for a model that was trained on the validation images, too."""
    pixels = snapshot.manifest["pixel_sha256"]
    learned = snapshot.manifest["split"].isin((*_TRAIN, VALIDATION)).to_numpy()
    in_training = pixels.isin(set(pixels[learned])).to_numpy()
    near = copies.near_training | np.isin(copies.group, copies.group[learned])
    return replace(copies, in_training=in_training, near_training=near)


def _with_other_trainings(
    store: ArtifactStore, snapshot: DatasetSnapshot, model: ModelRef, copies: Copies
) -> Copies:
    """The copies for a model whose weights were also trained on other images."""
    others = trainings_of(store, model).found - {Training(snapshot.ref.id, _TRAIN)}
    if not others:
        return copies
    exact_N, near_N = exactly_seen(store, snapshot.ref, others), copies.near_training.copy()
    rows = np.flatnonzero(snapshot.manifest["split"].isin((VALIDATION, TEST)).to_numpy())
    near_N[rows] |= seen_with_near_copies(store, snapshot, others, rows, "evaluate")
    return replace(copies, in_training=copies.in_training | exact_N, near_training=near_N)


def _calibrated(
    validation: Predictions,
    predictions: Mapping[str, Predictions],
    groups: Ints,
    config: EvaluationConfig,
) -> tuple[float | None, dict[str, ScoredImages]]:
    """The temperature, fitted on validation, and all images with scaled probabilities.

    Those of validation are scaled out of fold, each by a temperature that was fitted on the other
    folds: the calibration error of images that a temperature was fitted on is too small.
    """
    temperature = None
    if len(validation.labels):
        temperature = fit_temperature(validation.probs_NK, validation.labels)
    return temperature, {
        split: ScoredImages(
            part.labels,
            groups[part.positions],
            part.probs_NK,
            _scaled(split, part, groups[part.positions], temperature, config),
        )
        for split, part in predictions.items()
    }


def _scaled(
    split: str,
    part: Predictions,
    groups_N: Ints,
    temperature: float | None,
    config: EvaluationConfig,
) -> npt.NDArray[np.float64] | None:
    if temperature is None:
        return None
    if split == VALIDATION:
        return scaled_out_of_fold(part, groups_N, config.calibration_folds, config.bootstrap_seed)
    return apply_temperature(part.probs_NK, temperature)


def scaled_out_of_fold(
    predictions: Predictions, groups_N: Ints, num_folds: int, seed: int
) -> npt.NDArray[np.float64] | None:
    """Probabilities, each scaled by a temperature that was fitted on the other folds; N x K.

    Copies are in the same fold. With fewer groups than folds, every group is a fold; None with a
    single group.
    """
    codes, _ = pd.factorize(groups_N)
    num_groups = int(codes.max()) + 1
    if num_groups < 2:
        return None
    order = np.random.default_rng(seed).permutation(num_groups)
    folds_N = (order % min(num_folds, num_groups))[codes]
    scaled_NK = np.empty_like(predictions.probs_NK)
    for fold in np.unique(folds_N):
        held_out = folds_N == fold
        temperature = fit_temperature(
            predictions.probs_NK[~held_out], predictions.labels[~held_out]
        )
        scaled_NK[held_out] = apply_temperature(predictions.probs_NK[held_out], temperature)
    return scaled_NK
