"""Review of data sets with own classes, and of several in one store."""

import json
import re
from pathlib import Path

import pytest

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.cleaning.clean import clean_snapshot
from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError
from fer_models.review.decisions import (
    match_decisions,
    open_decisions,
    parse_decisions,
    publish_decisions,
)
from fer_models.review.page import write_review_page
from fer_models.storage.store import ArtifactStore
from tests.fer_models.own_classes import LISTS, MANY, OWN, foreign_names, own_snapshot

HEADER = "image_id,action,label\n"


@pytest.mark.parametrize("classes", LISTS, ids=lambda one: str(len(one)))
def test_the_page_offers_the_classes_of_the_snapshot(
    store: ArtifactStore, tmp_path: Path, classes: ClassList
) -> None:
    cleaned = clean_snapshot(store, own_snapshot(store, classes, step="ingest"), CleaningConfig())
    write_review_page(store, cleaned, tmp_path / "review.html")
    page = (tmp_path / "review.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert data["classes"] == list(classes.names)
    help_text = page[page.index("<dialog") : page.index("</dialog>")]
    if len(classes) <= 9:
        assert f"{len(classes)} classes: {', '.join(classes.names)}." in page
        assert f"<kbd>{len(classes)}</kbd></dt><dd>relabel: {classes.names[-1]}" in help_text
        assert f"<kbd>{len(classes) + 1}</kbd>" not in help_text
    else:
        assert "type the beginning of a class" in help_text
    assert [name for name in foreign_names(classes) if f"relabel: {name}" in help_text] == []


def test_labels_are_names_of_the_data_sets_classes(store: ArtifactStore) -> None:
    text = f"{HEADER}own-00000,relabel,Very Bored\nown-00001,relabel,happiness\n"
    table = parse_decisions(text, "x.csv", OWN)
    assert table["label"].tolist() == ["very bored", "happy"]
    manifest = open_snapshot(store, own_snapshot(store, OWN)).manifest
    assert match_decisions(manifest, table, OWN).labels.tolist() == [3, 0]


@pytest.mark.parametrize("label", ["angry", "3", "verybored"])
def test_a_label_that_is_no_class_is_reported_with_the_classes(label: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_decisions(f"{HEADER}a,relabel,{label}\n", "x.csv", OWN)
    assert "line 2 (a): label: expected one of happy, sad, bored, very bored" in str(caught.value)


def test_decisions_about_several_data_sets_share_a_store(store: ArtifactStore) -> None:
    publish_decisions(store, parse_decisions(f"{HEADER}own-00000,relabel,bored\n", "own", OWN))
    text = f"{HEADER}hand/000001,relabel,disgust\n"
    version = publish_decisions(store, parse_decisions(text, "fer", FER2013_CLASSES))
    table = open_decisions(store, version)
    assert table["label"].tolist() == ["disgust", "bored"]
    manifest = open_snapshot(store, own_snapshot(store, OWN)).manifest
    found = match_decisions(manifest, table, OWN)
    assert (found.positions.tolist(), found.labels.tolist()) == ([0], [2])
    # The same images under other classes: the decision does not apply, and is no error.
    other = match_decisions(manifest, table, MANY)
    assert other.positions.tolist() == []
    assert "this data set has no class bored" in other.unmatched["why"].tolist()


def test_cleaning_relabels_to_own_classes(store: ArtifactStore) -> None:
    raw = own_snapshot(store, OWN, step="ingest")
    text = f"{HEADER}own-00000,relabel,very bored\n"
    decisions = publish_decisions(store, parse_decisions(text, "x.csv", OWN))
    cleaned = clean_snapshot(store, raw, CleaningConfig(), decisions=decisions)
    assert open_snapshot(store, cleaned).manifest["label"].iloc[0] == 3
