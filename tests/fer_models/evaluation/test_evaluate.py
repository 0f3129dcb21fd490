"""Evaluation of stored models."""

import io

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model, read_evaluation
from fer_models.evaluation.predictions import model_ref, probabilities_bytes
from fer_models.evaluation.results import ModelMetrics
from fer_models.labels import CLASS_NAMES, NUM_CLASSES
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities
from tests.fer_models.lineages import brightened, moved, with_lineage

CONFIG = EvaluationConfig()


def _evaluate(store: ArtifactStore, snapshot: SnapshotRef, model: ModelRef) -> ModelMetrics:
    return read_evaluation(store, evaluate_model(store, snapshot, model, CONFIG))


def test_metrics_are_of_the_kept_images_of_each_split(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    model = build_model(store, snapshot)
    result = _evaluate(store, snapshot, model)
    with np.load(store.fetch(model, "probabilities.npz")) as stored:
        for split in ("validation", "test"):
            labels = opened.labels(opened.positions(split))
            scores = result.splits[split]
            assert scores.n == len(labels)
            assert scores.accuracy == pytest.approx((stored[split].argmax(1) == labels).mean())
            assert sum(map(sum, scores.confusion)) == len(labels)
            assert set(scores.per_class) == set(CLASS_NAMES)


def test_info_holds_accuracy_and_interval_of_each_split(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    evaluation = evaluate_model(store, snapshot, model, CONFIG)
    info = store.info(evaluation)
    assert evaluation.model_id == info["model_id"] == model.id
    for split in ("validation", "test", "test_without_leaks"):
        assert info[split]["low"] <= info[split]["accuracy"] <= info[split]["high"]


def test_images_also_in_quarantined_training_data_count_as_leaks(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, num_leaks=3)
    result = _evaluate(store, snapshot, build_model(store, snapshot))
    assert result.splits["test_without_leaks"].n == result.splits["test"].n - 3
    assert result.splits["test_without_near_copies"].n == result.splits["test"].n - 3


@pytest.mark.parametrize("link", ["initial", "imported"])
def test_images_that_weights_learned_in_an_earlier_training_are_no_unseen_images(
    store: ArtifactStore, link: str
) -> None:
    snapshot = open_snapshot(store, build_snapshot(store, num_leaks=0))
    learned = snapshot.positions("test")[:13]
    origin = build_model(store, moved(store, snapshot, learned, "train"), "origin")
    facts = {"initial": origin.id, "imported": {"snapshot_id": store.info(origin)["snapshot_id"]}}
    model = with_lineage(store, build_model(store, snapshot.ref), **{link: facts[link]})
    splits = _evaluate(store, snapshot.ref, model).splits
    assert splits["test_without_leaks"].n == splits["test"].n - 13
    assert splits["test_without_near_copies"].n == splits["test"].n - 13


def test_near_copies_of_images_of_an_earlier_training_are_left_out(store: ArtifactStore) -> None:
    before = open_snapshot(store, build_snapshot(store, num_leaks=0))
    origin = build_model(store, before.ref, "origin")
    snapshot = brightened(store, before, before.positions("train")[:15], "test")
    model = with_lineage(store, build_model(store, snapshot.ref), initial=origin.id)
    splits = _evaluate(store, snapshot.ref, model).splits
    assert splits["test_without_leaks"].n == splits["test"].n
    assert splits["test_without_near_copies"].n == splits["test"].n - 15


def test_same_model_gives_the_same_evaluation(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    first = evaluate_model(store, snapshot, model, CONFIG)
    assert evaluate_model(store, snapshot, model, CONFIG) == first
    finer = EvaluationConfig(calibration_bins=5)
    assert evaluate_model(store, snapshot, model, finer).id != first.id


def test_without_a_test_split_validation_is_filtered_instead(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.3, 0.0))
    result = _evaluate(store, snapshot, build_model(store, snapshot))
    assert list(result.splits) == [
        "validation",
        "validation_without_leaks",
        "validation_without_near_copies",
    ]
    assert result.sliced_split == "validation"


def test_one_class_and_missing_classes_are_scored(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, classes=(3,), num_leaks=0)
    scores = _evaluate(store, snapshot, build_model(store, snapshot)).splits["test"]
    assert scores.auroc is None
    assert scores.per_class["angry"].n == 0
    assert scores.balanced_accuracy == pytest.approx(scores.accuracy)


def test_a_model_of_another_snapshot_is_rejected(store: ArtifactStore) -> None:
    model = build_model(store, build_snapshot(store, seed=1))
    with pytest.raises(DataError, match="trained on another snapshot"):
        evaluate_model(store, build_snapshot(store, seed=2), model, CONFIG)


def test_misaligned_rows_of_both_splits_are_reported_together(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    wrong = {
        "validation": draw_probabilities(np.zeros(9, dtype=np.int64), 1.0, 0),
        "test": np.zeros((4, NUM_CLASSES)),
    }
    model = build_model(store, snapshot, probabilities=wrong)
    with pytest.raises(DataError) as caught:
        evaluate_model(store, snapshot, model, CONFIG)
    assert [p.split(":")[0] for p in caught.value.problems] == ["validation", "test"]


def test_rows_that_are_not_probabilities_are_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    bad = {s: np.zeros((len(opened.positions(s)), NUM_CLASSES)) for s in ("validation", "test")}
    model = build_model(store, snapshot, probabilities=bad)
    with pytest.raises(DataError, match="don't sum to 1"):
        evaluate_model(store, snapshot, model, CONFIG)


def test_a_missing_array_is_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    rows = len(open_snapshot(store, snapshot).positions("test"))
    only_test = {"test": draw_probabilities(np.zeros(rows, dtype=np.int64), 1.0, 0)}
    model = build_model(store, snapshot, probabilities=only_test)
    with pytest.raises(DataError, match="validation: array missing; the file contains test"):
        evaluate_model(store, snapshot, model, CONFIG)


def test_a_file_that_is_not_an_archive_is_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    info = {"snapshot_id": snapshot.id, "parameters": 1}
    model = store.put(ModelRef, "junk", {"probabilities.npz": b"junk"}, info, name="junk")
    with pytest.raises(StoreError, match="expected numpy arrays"):
        evaluate_model(store, snapshot, model, CONFIG)


def test_stored_probabilities_round_trip_as_float32() -> None:
    labels = np.arange(20) % NUM_CLASSES
    validation, test = draw_probabilities(labels, 1.0, 0), np.zeros((0, NUM_CLASSES))
    with np.load(io.BytesIO(probabilities_bytes(validation, test))) as arrays:
        assert sorted(arrays.files) == ["test", "validation"]
        assert arrays["validation"].dtype == arrays["test"].dtype == np.float32
        np.testing.assert_array_equal(arrays["validation"], validation.astype(np.float32))
        assert arrays["test"].shape == (0, NUM_CLASSES)


def test_a_model_is_found_by_its_id(store: ArtifactStore) -> None:
    model = build_model(store, build_snapshot(store))
    assert model_ref(store, model.id) == model
    with pytest.raises(StoreError, match="not found"):
        model_ref(store, "nobody")
