"""Comparing runs whose data have own, or different, classes."""

import numpy as np
import pytest

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError
from fer_models.history.comparison.compare import _counts
from fer_models.history.comparison.paired import class_differences
from fer_models.storage.store import ArtifactStore
from tests.fer_models.own_classes import OWN, TWO, own_snapshot


def test_counts_list_the_classes_of_both_runs(store: ArtifactStore) -> None:
    infos = [store.info(own_snapshot(store, classes)) for classes in (OWN, TWO)]
    rows = {row.name: (row.a, row.b) for row in _counts(*infos)}
    assert rows["happy"] == (12, 12)
    assert rows["very bored"] == (12, None)
    assert "angry" not in rows
    assert "angry" not in {row.name for row in _counts(infos[0], None)}


def test_recall_is_compared_by_the_names_of_the_data() -> None:
    labels = np.array([0, 1, 2, 3, 3])
    right, wrong = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    found = class_differences(right, wrong, labels, OWN.names)
    assert {name: one.n for name, one in found.items()} == {
        "happy": 1,
        "sad": 1,
        "bored": 1,
        "very bored": 2,
    }


def test_runs_with_different_classes_are_not_compared(store: ArtifactStore) -> None:
    own = open_snapshot(store, own_snapshot(store, OWN)).classes
    with pytest.raises(DataError, match="A has happy, sad, bored, very bored; B has angry"):
        own.require_same(FER2013_CLASSES, "A", "B")
