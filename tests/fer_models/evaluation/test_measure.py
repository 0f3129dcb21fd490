"""What an evaluation measures: sets without copies, slices, calibration, votes."""

import numpy as np
import pandas as pd
import pytest

from fer_models.dataset.columns import COLUMNS_TABLE
from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import (
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import StoreError
from fer_models.evaluation.command import evaluation_command
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation, scaled_out_of_fold
from fer_models.evaluation.metrics import calibration_error
from fer_models.evaluation.predictions import Predictions, read_predictions
from fer_models.evaluation.results import ModelMetrics
from fer_models.evaluation.temperature import apply_temperature, fit_temperature
from fer_models.labels import NUM_CLASSES, VOTE_COLUMNS
from fer_models.storage.refs import EvaluationRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities

CONFIG = EvaluationConfig(bootstrap_replicates=200)


def _evaluate(store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef) -> ModelMetrics:
    return read_evaluation(store, evaluate_model(store, snapshot, model, CONFIG))


def _with_copies(store: ArtifactStore) -> SnapshotRef:
    """280 images: the first 20 of test also stand in training with a little more light."""
    parent = open_snapshot(store, build_snapshot(store, num_leaks=3))
    test, train = parent.positions("test"), parent.positions("train")
    images = parent.images.copy()
    images[train[:20]] = np.clip(images[test[:20]].astype(np.int64) + 3, 0, 255)
    shas = pixel_sha256(images)
    manifest = parent.manifest.assign(
        pixel_sha256=shas, duplicate_group=first_of_group(pd.Series(shas))
    )
    columns = pd.DataFrame(
        {
            "image_id": manifest["image_id"],
            "gender": np.where(np.arange(len(manifest)) % 2, "f", "m"),
            "age": [str(row % 60) for row in range(len(manifest))],
        }
    )
    return write_snapshot(store, manifest, images, "split", tables={COLUMNS_TABLE: columns})


def test_near_copies_of_training_images_are_left_out_of_a_set(store: ArtifactStore) -> None:
    snapshot = _with_copies(store)
    splits = _evaluate(store, snapshot, build_model(store, snapshot)).splits
    assert splits["test_without_leaks"].n == splits["test"].n - 3
    assert splits["test_without_near_copies"].n == splits["test"].n - 20
    opened = open_snapshot(store, snapshot)
    unseen = ~find_copies(store, opened).near_training[opened.positions("test")]
    predictions = read_predictions(store, opened, build_model(store, snapshot))["test"]
    assert splits["test_without_near_copies"].accuracy == predictions.correct[unseen].mean()


def test_slices_are_by_class_image_quality_and_user_columns(store: ArtifactStore) -> None:
    snapshot = _with_copies(store)
    result = _evaluate(store, snapshot, build_model(store, snapshot))
    test = result.splits["test"]
    assert result.sliced_split == "test"
    by_column = {sliced.column: sliced for sliced in result.slices}
    assert list(by_column) == ["class", "brightness", "contrast", "sharpness", "gender", "age"]
    for sliced in result.slices:
        assert sum(one.n for one in sliced.slices) == test.n
        correct = sum(one.n * one.accuracy for one in sliced.slices)
        assert correct == pytest.approx(test.n * test.accuracy)
    for one in by_column["class"].slices:
        recall = test.per_class[one.name]
        assert one.n == recall.n
        assert one.accuracy == pytest.approx(recall.recall)
        assert (one.low, one.high) == recall.intervals["recall"]
    assert [one.name for one in by_column["gender"].slices] == ["f", "m"]
    assert len(by_column["age"].slices) == 4
    opened = open_snapshot(store, snapshot)
    positions = opened.positions("test")
    brightness = opened.images[positions].mean(axis=(1, 2))
    dark = brightness <= np.quantile(brightness, 0.25)
    correct_N = read_predictions(store, opened, build_model(store, snapshot))["test"].correct
    assert by_column["brightness"].slices[0].accuracy == correct_N[dark].mean()


def test_test_is_scaled_by_the_temperature_of_validation(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, num_images=700)
    model = build_model(store, snapshot)
    parts = read_predictions(store, open_snapshot(store, snapshot), model)
    result = _evaluate(store, snapshot, model)
    validation, test = parts["validation"], parts["test"]
    temperature = fit_temperature(validation.probs_NK, validation.labels)
    assert result.temperature == temperature
    scaled = apply_temperature(test.probs_NK, temperature)
    expected = calibration_error(scaled, test.labels, CONFIG.calibration_bins)
    assert result.splits["test"].calibration_error_scaled == pytest.approx(expected)
    fitted = apply_temperature(validation.probs_NK, temperature)
    own = calibration_error(fitted, validation.labels, CONFIG.calibration_bins)
    assert result.splits["validation"].calibration_error_scaled != pytest.approx(own)


def test_no_image_is_scaled_by_a_temperature_that_its_copies_helped_to_fit() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 3)
    labels = rng.integers(0, NUM_CLASSES, 90)
    predictions = Predictions(np.arange(90), labels, draw_probabilities(labels, 1.0, 0))
    before = scaled_out_of_fold(predictions, groups, num_folds=5, seed=0)
    assert before is not None
    for group in (0, 7, 29):
        own = groups == group
        changed = Predictions(
            np.arange(90), np.where(own, (labels + 1) % NUM_CLASSES, labels), predictions.probs_NK
        )
        after = scaled_out_of_fold(changed, groups, num_folds=5, seed=0)
        assert after is not None
        np.testing.assert_array_equal(after[own], before[own])
        assert (after != before).any()


def test_one_group_can_not_be_scaled_out_of_fold() -> None:
    labels = np.zeros(3, dtype=np.int64)
    predictions = Predictions(np.arange(3), labels, draw_probabilities(labels, 1.0, 0))
    assert scaled_out_of_fold(predictions, np.zeros(3, dtype=np.int64), 5, 0) is None
    few = scaled_out_of_fold(predictions, np.array([0, 0, 1]), 5, 0)
    assert few is not None
    np.testing.assert_allclose(few.sum(axis=1), 1)


def test_votes_are_compared_in_every_set(store: ArtifactStore) -> None:
    parent = open_snapshot(store, build_snapshot(store))
    votes = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), len(parent.manifest))
    manifest = parent.manifest.assign(**dict(zip(VOTE_COLUMNS, votes.T, strict=True)))
    snapshot = write_snapshot(store, manifest, parent.images.copy(), "split")
    splits = _evaluate(store, snapshot, build_model(store, snapshot)).splits
    for split in splits.values():
        assert split.crowd is not None
        assert split.crowd.n == split.n
        assert split.crowd.sure is None or split.crowd.sure.n < split.n
    plain = build_snapshot(store)
    assert _evaluate(store, plain, build_model(store, plain)).splits["test"].crowd is None


def test_an_evaluation_of_another_version_is_refused(store: ArtifactStore) -> None:
    old = store.put(EvaluationRef, "old", {"metrics.json": b'{"splits": {}}'}, {}, model_id="m")
    with pytest.raises(StoreError, match="evaluate the model again"):
        read_evaluation(store, old)


def test_the_command_names_the_model_the_store_and_changed_settings() -> None:
    settings = EvaluationConfig(confidence=0.9, bootstrap_replicates=500)
    assert evaluation_command("file:///my store", "cnn-1", settings) == (
        "ferflow task evaluate --model cnn-1 --store 'file:///my store' "
        "--set evaluation.confidence=0.9 --set evaluation.bootstrap_replicates=500"
    )
