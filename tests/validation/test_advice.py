"""Following the advice of a failed check makes it pass."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import write_snapshot
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from flows.recipes.assign import assign_all
from tests.validation.snapshots import Draft, valid_draft
from validation.config import ValidationConfig
from validation.gate import RESULTS_FILE, validate_snapshot

_TO = re.compile(r"(validation\.\w+)(?: and (validation\.\w+))? to ([\d.]+)")
_IS = re.compile(r"(validation\.[\w.]+=(?:\w+|''))")
MIN_PER_CLASS = "validation.min_images_per_class"
MIN_PER_SPLIT = "validation.min_images_per_split"
LEAKS = "validation.max_leak_fraction"
BAD = "validation.max_bad_image_fraction"
COPIES = "validation.max_duplicate_fraction"
UNLABELLED = "validation.max_unlabelled_fraction"
TRAINING = "validation.severities.training_split_present"
LOST = "validation.severities.classes_lost"
CLASS = ["validation.class_drift_warning", "validation.class_drift_error"]
PIXEL = ["validation.pixel_drift_warning", "validation.pixel_drift_error"]
SHARE = ["validation.share_drift_warning", "validation.share_drift_error"]


def written(store: ArtifactStore, draft: Draft) -> SnapshotRef:
    draft.describe_pixels()
    return write_snapshot(store, draft.table, draft.images, "ingest", classes=draft.classes)


def advised(remedy: str) -> list[str]:
    """The settings that a remedy names, as for `--set`."""
    found = [f"{name}={m[3]}" for m in _TO.finditer(remedy) for name in m.group(1, 2) if name]
    return found + _IS.findall(remedy)


def changed(config: ValidationConfig, assignments: list[str]) -> ValidationConfig:
    settings = {"validation": config.model_dump()}
    assert assign_all(settings, assignments, "--set") == []
    return ValidationConfig.model_validate(settings["validation"])


def checks_of(
    store: ArtifactStore, snapshot: SnapshotRef, config: ValidationConfig
) -> dict[str, dict[str, object]]:
    records = store.read_json(validate_snapshot(store, snapshot, config), RESULTS_FILE)
    return {record["check"]: record for record in records}


def follow_each(
    store: ArtifactStore,
    draft: Draft,
    config: ValidationConfig,
    expected: Mapping[str, Sequence[str]],
) -> None:
    """Follow the advice of each expected check alone, then that of all of them.

    Args:
        store: for the snapshot.
        draft: the data.
        config: with which the checks fail.
        expected: the checks that fail, and the settings that each one's advice names.
    """
    snapshot = written(store, draft)
    checks = checks_of(store, snapshot, config)
    assert set(expected) <= {name for name, check in checks.items() if not check["passed"]}
    everything: list[str] = []
    for name in sorted(expected):
        settings = advised(str(checks[name]["remedy"]))
        assert [setting.partition("=")[0] for setting in settings] == list(expected[name])
        after = checks_of(store, snapshot, changed(config, settings)).get(name)
        assert after is None or after["passed"] or after["severity"] == "warning"
        everything += settings
    errors = {n for n, c in checks.items() if not c["passed"] and c["severity"] == "error"}
    assert errors <= set(expected)
    assert validate_snapshot(store, snapshot, changed(config, everything)).passed


def six_images_of_a_class(draft: Draft) -> None:
    draft.set("label", draft.rows("train", 1)[6:], 2)


def no_image_of_a_class(draft: Draft) -> None:
    for split in ("train", "validation", "test"):
        draft.set("label", draft.rows(split, 1), 2)


def tiny_test_split(draft: Draft) -> None:
    draft.set("split", list(np.flatnonzero(draft.table["split"] == "test"))[3:], "train")


def no_training_split(draft: Draft) -> None:
    draft.table["split"] = "test"


def many_copies(draft: Draft) -> None:
    for target in range(1, 40):
        draft.copy_pixels(0, target)


def leaks(draft: Draft) -> None:
    for split in ("validation", "test"):
        targets = [row for label in range(7) for row in draft.rows(split, label)][:11]
        for source, target in enumerate(targets):
            draft.copy_pixels(source, target)


def grey(value: int, low: int = 0) -> Callable[[Draft], None]:
    def spoil(draft: Draft) -> None:
        for row in range(0, 45, 5):
            draft.images[row] = value + (np.arange(48) + row) % (low or 1)
            draft.images[row, row, row] ^= 1

    return spoil


def no_labels(draft: Draft) -> None:
    draft.set("label", list(range(0, 350, 3)), -1)


@pytest.mark.parametrize(
    ("spoil", "config", "expected"),
    [
        (six_images_of_a_class, {}, {"images_per_class": [MIN_PER_CLASS]}),
        (no_image_of_a_class, {}, {"images_per_class": [MIN_PER_CLASS]}),
        (tiny_test_split, {}, {"split_sizes": [MIN_PER_SPLIT]}),
        (
            no_training_split,
            {},
            {"training_split_present": [TRAINING], "images_per_class": [MIN_PER_CLASS]},
        ),
        (many_copies, {}, {"exact_copy_share": [COPIES]}),
        (leaks, {}, {"validation_leak_share": [LEAKS], "test_leak_share": [LEAKS]}),
        (grey(128), {}, {"blank_image_share": [BAD]}),
        (grey(0, 4), {"min_std": 0}, {"dark_image_share": [BAD]}),
        (grey(252, 4), {"min_std": 0}, {"bright_image_share": [BAD]}),
        (
            no_labels,
            {"max_unlabelled_fraction": 0.1},
            {"unlabelled_share": [UNLABELLED], "split_sizes": [MIN_PER_SPLIT]},
        ),
    ],
)
def test_each_advised_setting_changes_the_verdict(
    store: ArtifactStore,
    spoil: Callable[[Draft], None],
    config: dict[str, float],
    expected: dict[str, list[str]],
) -> None:
    draft = valid_draft()
    spoil(draft)
    follow_each(store, draft, ValidationConfig.model_validate(config), expected)


def test_two_tiny_classes_pass_after_following_the_advice(store: ArtifactStore) -> None:
    draft = valid_draft(ClassList.named(["happy", "sad"]), {"train": 6})
    expected = {"images_per_class": [MIN_PER_CLASS], "split_sizes": [MIN_PER_SPLIT]}
    follow_each(store, draft, ValidationConfig(), expected)


def shifted_classes(draft: Draft) -> None:
    draft.set("label", draft.rows("train", 3)[2:], 4)
    draft.set("label", draft.rows("train", 2)[2:], 4)


def brighter(draft: Draft) -> None:
    draft.images[:] = draft.images // 2 + 120


def lost_class(draft: Draft) -> None:
    no_image_of_a_class(draft)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (shifted_classes, {"class_share_drift": CLASS, "class_share_strong_drift": CLASS[1:]}),
        (
            brighter,
            {
                "image_mean_drift": PIXEL,
                "image_mean_strong_drift": PIXEL[1:],
                "image_std_drift": PIXEL,
                "image_std_strong_drift": PIXEL[1:],
            },
        ),
        (many_copies, {"copy_share_drift": SHARE[:1]}),
        (
            no_labels,
            {
                "unlabelled_share_drift": SHARE,
                "unlabelled_share_strong_drift": SHARE[1:],
                "split_sizes": [MIN_PER_SPLIT],
            },
        ),
        (
            lost_class,
            {
                "classes_lost": [LOST],
                "class_share_drift": CLASS,
                "class_share_strong_drift": CLASS[1:],
            },
        ),
    ],
)
def test_each_advice_about_drift_changes_the_verdict(
    store: ArtifactStore, spoil: Callable[[Draft], None], expected: dict[str, list[str]]
) -> None:
    reference = written(store, valid_draft())
    config = ValidationConfig(
        reference=reference.id, min_images_per_class=0, max_duplicate_fraction=1
    )
    draft = valid_draft()
    spoil(draft)
    follow_each(store, draft, config, expected)


def test_a_reference_with_other_classes_is_a_failed_check(store: ArtifactStore) -> None:
    reference = written(store, valid_draft())
    classes = ClassList.named(["happy", "sad", "bored", "very bored"])
    draft = valid_draft(classes, {"train": 30, "validation": 20, "test": 20})
    config = ValidationConfig(reference=reference.id)
    checks = checks_of(store, written(store, draft), config)
    failed = {name for name, check in checks.items() if not check["passed"]}
    assert failed == {"reference_classes"}
    observed = str(checks["reference_classes"]["observed"])
    assert observed.startswith("happy, sad, bored, very bored; the reference has angry, disgust")
    follow_each(store, draft, config, {"reference_classes": ["validation.reference"]})


def test_the_order_of_the_reference_classes_does_not_matter(store: ArtifactStore) -> None:
    one, other = (
        ClassList.named(["happy", "sad", "bored"]),
        ClassList.named(["bored", "happy", "sad"]),
    )
    reference, draft = valid_draft(one), valid_draft(other)
    reference.set("label", reference.rows("train", 0)[10:], 1)
    draft.set("label", draft.rows("train", 1)[10:], 2)
    config = ValidationConfig(reference=written(store, reference).id, min_images_per_class=1)
    checks = checks_of(store, written(store, draft), config)
    assert "reference_classes" not in checks
    assert str(checks["class_share_drift"]["observed"]).startswith("0 (chance")
