"""Classes, quarantine and duplicates, compared with counts by pandas."""

import pandas as pd
import pytest

from fer_models.classes.class_list import FER2013_CLASSES
from fer_models.dataset.snapshot import open_snapshot, open_table
from fer_models.exploration import facts
from fer_models.labels import CLASS_NAMES
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.exploration.builders import (
    COPIES,
    LEAK,
    NEAR,
    RENAMED,
    WRONG,
    cleaned_snapshot,
    plain_snapshot,
)


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return cleaned_snapshot(store)


@pytest.fixture
def rows(store: ArtifactStore, snapshot: SnapshotRef) -> pd.DataFrame:
    return facts.image_rows(store, open_snapshot(store, snapshot))


def test_before_counts_original_labels_and_after_current_ones(
    store: ArtifactStore, snapshot: SnapshotRef, rows: pd.DataFrame
) -> None:
    manifest = open_snapshot(store, snapshot).manifest
    kept = manifest[manifest["status"] == "kept"]
    original = open_table(store, snapshot, "decisions")["label"].value_counts()
    table = facts.class_table(rows, FER2013_CLASSES)
    assert [row["class"] for row in table] == list(CLASS_NAMES)
    for number, row in enumerate(table):
        assert row["before"] == original[number]
        assert row["after"] == (kept["label"] == number).sum()
        moved = row["relabelled_to"] - row["relabelled_from"]
        assert row["before"] - row["quarantined"] + moved == row["after"]
    assert sum(row["relabelled_to"] for row in table) == 1


def test_splits_add_up_to_the_total(rows: pd.DataFrame) -> None:
    for row in facts.class_table(rows, FER2013_CLASSES):
        assert list(row["splits"]) == ["train", "validation", "test"]
        for when in ("before", "after"):
            assert sum(counts[when] for counts in row["splits"].values()) == row[when]


def test_reasons_are_counted_by_split(rows: pd.DataFrame) -> None:
    table = {row["reason"]: row for row in facts.reason_table(rows)}
    assert {name: row["images"] for name, row in table.items()} == {
        "conflicting_label": 2,
        "blank": 1,
        "label_error": 1,
        "leak": 1,
        "near_duplicate": 1,
    }
    assert table["leak"]["splits"] == {"train": 1, "validation": 0, "test": 0}
    assert next(iter(table)) == "conflicting_label"


def test_duplicates_are_counted_before_and_after(rows: pd.DataFrame) -> None:
    before = facts.duplicate_counts(rows, "given")
    # The leak is a duplicate as well, with a different label.
    assert before == {"copies": 2, "groups": 2, "conflicting_groups": 2, "leaks": 1}
    after = facts.duplicate_counts(rows[rows["kept"]], "label")
    assert after == {"copies": 0, "groups": 0, "conflicting_groups": 0, "leaks": 0}
    repeated = rows["pixel_sha256"].duplicated().sum()
    assert before["copies"] == repeated


def test_masks_find_the_planted_images(rows: pd.DataFrame) -> None:
    assert rows.index[facts.near_duplicates(rows)].tolist() == [NEAR]
    assert rows.index[facts.label_errors(rows)].tolist() == [WRONG]
    assert rows.index[facts.relabelled(rows)].tolist() == [RENAMED]
    assert facts.conflicting_groups(rows, "given") == [COPIES[0], LEAK]


def test_a_raw_snapshot_has_the_same_before_and_after(store: ArtifactStore) -> None:
    raw = plain_snapshot(store, [0, 0, 3, -1], ["", "train", "train", "test"])
    rows = facts.image_rows(store, open_snapshot(store, raw))
    table = facts.class_table(rows, FER2013_CLASSES)
    assert all(row["before"] == row["after"] for row in table)
    assert [row["before"] for row in table] == [2, 0, 0, 1, 0, 0, 0]
    assert facts.splits_of(rows) == ["train", "test", "unassigned"]
    assert facts.reason_table(rows) == []
    assert not facts.relabelled(rows).any()
