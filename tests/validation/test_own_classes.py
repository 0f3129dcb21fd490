"""The gate checks and shows the classes of the snapshot."""

import re

import pytest

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.snapshot import write_snapshot
from fer_models.storage.store import ArtifactStore
from tests.validation.snapshots import valid_draft
from validation.config import ValidationConfig
from validation.gate import REPORT_FILE, RESULTS_FILE, validate_snapshot
from validation.runner import evaluate
from validation.settings import checks_for
from validation.tables import build_tables

PER_CLASS = {"train": 30, "validation": 25, "test": 25}
OWN = ClassList.named(["happy", "sad", "bored", "very bored"])
EIGHT = ClassList.named([*FER2013_CLASSES.names, "contempt"])
TWO = ClassList.named(["sad", "happy"])
MANY = ClassList.named([f"state {number:02d} of mind" for number in range(40)])


@pytest.mark.parametrize("classes", [OWN, EIGHT, TWO, MANY], ids=lambda one: str(len(one)))
def test_valid_data_of_any_classes_passes(store: ArtifactStore, classes: ClassList) -> None:
    draft = valid_draft(classes, PER_CLASS)
    snapshot = write_snapshot(store, draft.table, draft.images, "ingest", classes=classes)
    config = ValidationConfig(reference=snapshot.id)
    validation = validate_snapshot(store, snapshot, config)
    assert (validation.passed, validation.num_warnings) == (True, 0)
    page = store.read_file(validation, REPORT_FILE).decode()
    assert f"{len(classes)} classes: {', '.join(classes.names)}." in page
    absent = set(FER2013_CLASSES.names) - set(classes.names)
    assert [name for name in absent if re.search(rf"\b{name}\b", page)] == []
    bars = re.search(r'class="bars">(.*?)</div>', page, re.DOTALL)
    assert bars is not None
    assert re.findall(r"<span>([a-z][^<]*)</span>", bars[1]) == list(classes.names)


def test_a_label_beyond_the_class_list_fails() -> None:
    draft = valid_draft(OWN, PER_CLASS)
    draft.set("label", [5], 4)
    checks = checks_for(ValidationConfig(), OWN)
    results = evaluate(build_tables(draft.snapshot()), checks).results
    failed = {result.check: result.expected for result in results if not result.passed}
    assert failed == {"labels_in_range": "labels 0 to 3, or -1 for unlabelled images"}


def test_a_small_class_is_named(store: ArtifactStore) -> None:
    draft = valid_draft(OWN, PER_CLASS)
    draft.set("label", draft.rows("train", 3)[6:], 2)
    snapshot = write_snapshot(store, draft.table, draft.images, "ingest", classes=OWN)
    validation = validate_snapshot(store, snapshot, ValidationConfig())
    failed = [r for r in store.read_json(validation, RESULTS_FILE) if not r["passed"]]
    assert [(r["check"], r["observed"]) for r in failed] == [("images_per_class", "very bored 6")]
    assert failed[0]["remedy"].endswith("or lower validation.min_images_per_class to 6")


def test_the_page_of_fer2013_does_not_list_its_classes(store: ArtifactStore) -> None:
    draft = valid_draft()
    snapshot = write_snapshot(store, draft.table, draft.images, "ingest")
    page = store.read_file(validate_snapshot(store, snapshot, ValidationConfig()), REPORT_FILE)
    assert b"classes:" not in page
