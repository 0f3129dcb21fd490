"""Folds of the images that ensembles are chosen on."""

import numpy as np
import pytest

from fer_models.dataset.copies import Copies
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.images import folded_images
from fer_models.errors import DataError
from fer_models.evaluation.predictions import read_predictions
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


def test_copies_share_a_fold_and_folds_share_the_classes(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, num_images=700, fractions=(0.3, 0.5, 0.2))
    opened = open_snapshot(store, snapshot)
    validation = read_predictions(store, opened, build_model(store, snapshot))["validation"]
    groups = np.arange(len(opened.manifest))
    groups[validation.positions[:60]] = groups[validation.positions[60:120]]
    nothing = np.zeros(len(groups), dtype=np.bool_)
    images = folded_images(opened, Copies(groups, nothing, nothing), [validation], 5)
    np.testing.assert_array_equal(images.folds_N[:60], images.folds_N[60:120])
    assert images.folds == frozenset(range(5))
    for label in range(7):
        counts = np.bincount(images.folds_N[images.labels_N == label], minlength=5)
        assert counts.max() - counts.min() <= 10


def test_less_than_three_groups_are_rejected(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    validation = read_predictions(store, opened, build_model(store, snapshot))["validation"]
    groups = np.arange(len(opened.manifest)) % 2
    nothing = np.zeros(len(groups), dtype=np.bool_)
    with pytest.raises(DataError, match="at least 3 different images"):
        folded_images(opened, Copies(groups, nothing, nothing), [validation], 5)


def test_fewer_groups_than_folds_give_fewer_folds(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    opened = open_snapshot(store, snapshot)
    validation = read_predictions(store, opened, build_model(store, snapshot))["validation"]
    groups = np.arange(len(opened.manifest)) % 4
    nothing = np.zeros(len(groups), dtype=np.bool_)
    images = folded_images(opened, Copies(groups, nothing, nothing), [validation], 5)
    assert len(images.folds) == 4
