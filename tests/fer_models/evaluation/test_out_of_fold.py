"""Stored out-of-fold predictions: the format, and reading them."""

import io

import numpy as np
import pytest

from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.predictions import out_of_fold_bytes, read_out_of_fold
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities


def with_out_of_fold(store: ArtifactStore, snapshot: SnapshotRef, content: bytes) -> ModelRef:
    """A model with this `out_of_fold.npz`."""
    return store.put(
        ModelRef,
        "small-000000000001",
        {"out_of_fold.npz": content},
        {"snapshot_id": snapshot.id},
        name="small",
    )


def test_probabilities_and_folds_are_those_of_the_training_images(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    labels = opened.labels(opened.positions("train"))
    probs_NK = draw_probabilities(labels, 2.0, 0)
    folds = np.arange(len(labels)) % 4
    model = with_out_of_fold(store, snapshot, out_of_fold_bytes(probs_NK, folds))
    read = read_out_of_fold(store, opened, model)
    assert read is not None
    assert read.folds is not None
    np.testing.assert_array_equal(read.positions, opened.positions("train"))
    np.testing.assert_array_equal(read.labels, labels)
    np.testing.assert_array_equal(read.folds, folds)
    np.testing.assert_allclose(read.probs_NK, probs_NK, atol=1e-6)
    assert read.probs_NK.dtype == np.float64


def test_a_model_without_folds_has_none(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = build_model(store, snapshot)
    assert read_out_of_fold(store, open_snapshot(store, snapshot), model) is None


def test_all_problems_of_the_file_are_reported(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = with_out_of_fold(
        store, snapshot, out_of_fold_bytes(np.full((3, 7), 0.1), np.zeros(2, dtype=np.int64))
    )
    with pytest.raises(DataError, match="does not fit snapshot") as caught:
        read_out_of_fold(store, open_snapshot(store, snapshot), model)
    assert len(caught.value.problems) == 2


def test_missing_arrays_are_named(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    buffer = io.BytesIO()
    np.savez(buffer, other=np.zeros(3))
    model = with_out_of_fold(store, snapshot, buffer.getvalue())
    with pytest.raises(DataError, match="folds is missing") as caught:
        read_out_of_fold(store, open_snapshot(store, snapshot), model)
    assert "array missing; the file contains other" in str(caught.value)


def test_a_file_that_is_no_archive_is_a_damaged_model(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    model = with_out_of_fold(store, snapshot, b"no archive")
    with pytest.raises(StoreError, match="expected numpy arrays"):
        read_out_of_fold(store, open_snapshot(store, snapshot), model)


def test_predictions_of_another_snapshot_are_rejected(store: ArtifactStore) -> None:
    snapshot, other = build_snapshot(store), build_snapshot(store, seed=9)
    model = with_out_of_fold(
        store, snapshot, out_of_fold_bytes(np.full((3, 7), 1 / 7), np.zeros(3, dtype=np.int64))
    )
    with pytest.raises(DataError, match="trained on another snapshot"):
        read_out_of_fold(store, open_snapshot(store, other), model)
