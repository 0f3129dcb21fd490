"""Each planted defect fails its check, and no other."""

from collections.abc import Callable

import numpy as np
import pytest

from fer_models.dataset.snapshot import QUARANTINED
from fer_models.labels import VOTE_COLUMNS, FerPlusVote
from tests.validation.snapshots import Draft, valid_draft
from validation.checks import MAX_EXAMPLES, CheckResult
from validation.config import ValidationConfig

Corruption = Callable[[Draft], None]


def _results(draft: Draft, config: ValidationConfig | None = None) -> dict[str, CheckResult]:
    from validation.runner import evaluate
    from validation.settings import checks_for
    from validation.tables import build_tables

    checks = checks_for(config or ValidationConfig())
    results = evaluate(build_tables(draft.snapshot()), checks).results
    assert [result.check for result in results] == [check.name for check in checks]
    return {result.check: result for result in results}


def _failed(results: dict[str, CheckResult]) -> set[str]:
    return {name for name, result in results.items() if not result.passed}


def _change_nothing(draft: Draft) -> None:
    """Valid data fails no check."""


def _repeat_an_id(draft: Draft) -> None:
    draft.set("image_id", [5], "hand:4")


def _blank_an_id(draft: Draft) -> None:
    draft.set("image_id", [5], "  ")


def _set_an_unknown_status(draft: Draft) -> None:
    draft.set("status", [5], "doubtful")


def _give_too_many_votes(draft: Draft) -> None:
    for column in VOTE_COLUMNS:
        draft.set(column, [5], 2)


def _remove_a_vote(draft: Draft) -> None:
    for column in VOTE_COLUMNS[1:]:
        draft.set(column, [5], 0)


def _change_pixels(draft: Draft) -> None:
    draft.images[5, 0, 0] ^= 1


def _set_a_wrong_group(draft: Draft) -> None:
    draft.set("duplicate_group", [5], 3)


def _set_an_unknown_class(draft: Draft) -> None:
    draft.set("label", [5], 7)


def _vote_no_face(draft: Draft) -> None:
    for column in VOTE_COLUMNS:
        draft.set(column, [5], 0)
    draft.set(VOTE_COLUMNS[FerPlusVote.NF], [5], 6)


def _set_an_unknown_split(draft: Draft) -> None:
    draft.set("split", [5], "PublicTest")


def _remove_a_split(draft: Draft) -> None:
    draft.set("split", [5], "")


def _blank_an_image(draft: Draft) -> None:
    draft.images[5] = 128
    draft.describe_pixels()


def _darken_an_image(draft: Draft) -> None:
    draft.images[5] = np.arange(48) % 10
    draft.describe_pixels()


def _overexpose_an_image(draft: Draft) -> None:
    draft.images[5] = 246 + np.arange(48) % 10
    draft.describe_pixels()


def _copy_an_image(draft: Draft) -> None:
    draft.copy_pixels(4, 5)
    draft.describe_pixels()


def _copy_with_another_label(draft: Draft) -> None:
    draft.copy_pixels(draft.rows("train", 0)[0], draft.rows("train", 1)[0])
    draft.describe_pixels()


def _leak(source: tuple[str, int], target: tuple[str, int]) -> Corruption:
    def corrupt(draft: Draft) -> None:
        draft.copy_pixels(draft.rows(*source)[0], draft.rows(*target)[0])
        draft.describe_pixels()

    return corrupt


def _shrink_a_split(draft: Draft) -> None:
    for label in range(7):
        draft.set("status", draft.rows("test", label)[7:], QUARANTINED)


def _shrink_a_class(draft: Draft) -> None:
    draft.set("status", draft.rows("train", 1)[19:], QUARANTINED)


def _remove_a_class_from_test(draft: Draft) -> None:
    draft.set("split", draft.rows("test", 1), "train")


@pytest.mark.parametrize(
    ("corrupt", "failed"),
    [
        (_repeat_an_id, {"image_ids_unique"}),
        (_blank_an_id, {"image_ids_readable"}),
        (_set_an_unknown_status, {"status_known"}),
        (_give_too_many_votes, {"votes_in_range"}),
        (_remove_a_vote, {"votes_complete"}),
        (_change_pixels, {"pixels_as_described"}),
        (_set_a_wrong_group, {"copies_as_described"}),
        (_set_an_unknown_class, {"labels_in_range"}),
        (_vote_no_face, {"faces_by_vote"}),
        (_set_an_unknown_split, {"splits_known"}),
        (_remove_a_split, {"splits_assigned"}),
        (_blank_an_image, {"blank_images"}),
        (_darken_an_image, {"dark_images"}),
        (_overexpose_an_image, {"bright_images"}),
        (_copy_an_image, {"exact_copies"}),
        (_copy_with_another_label, {"exact_copies", "conflicting_labels"}),
        (_leak(("train", 0), ("validation", 0)), {"exact_copies", "validation_in_train"}),
        (_leak(("train", 0), ("test", 0)), {"exact_copies", "test_in_train"}),
        (_leak(("validation", 0), ("test", 0)), {"exact_copies", "test_in_validation"}),
        (_shrink_a_split, {"split_sizes"}),
        (_shrink_a_class, {"images_per_class"}),
        (_remove_a_class_from_test, {"classes_held_out"}),
        (_change_nothing, set()),
    ],
)
def test_a_defect_fails_only_its_own_check(corrupt: Corruption, failed: set[str]) -> None:
    draft = valid_draft()
    corrupt(draft)
    results = _results(draft)
    assert _failed(results) == failed
    for name in failed:
        result = results[name]
        assert result.num_unexpected > 0
        assert len(result.examples) == min(result.num_unexpected, MAX_EXAMPLES) or (
            not result.examples and result.topic in {"splits", "class_balance"}
        )


def test_examples_are_the_ids_of_the_failing_images() -> None:
    draft = valid_draft()
    for row in range(20, 32):
        draft.copy_pixels(19, row)
    draft.describe_pixels()
    result = _results(draft)["exact_copies"]
    assert result.num_unexpected == 12
    assert result.examples == tuple(f"hand:{row}" for row in range(20, 30))
    assert result.observed == "12 of 350 images fail (fraction 0.0343)"


def test_a_defect_above_the_allowed_fraction_is_an_error() -> None:
    draft = valid_draft()
    train, test = draft.rows("train", 0), draft.rows("test", 0)
    for source, target in zip(train, test[:8], strict=False):
        draft.copy_pixels(source, target)
    draft.images[draft.rows("train", 3)[:8]] = 0
    draft.describe_pixels()
    results = _results(draft)
    errors = {name for name in _failed(results) if results[name].severity == "error"}
    assert errors == {"test_leak_share", "blank_image_share", "dark_image_share"}
    assert results["test_leak_share"].examples == tuple(f"hand:{row}" for row in test[:8])
    assert results["test_leak_share"].expected.startswith("a fraction of at most 0.1 of the test")


def test_exactly_the_allowed_fraction_passes() -> None:
    draft = valid_draft()
    for source, target in zip(draft.rows("train", 0), draft.rows("test", 0)[:7], strict=False):
        draft.copy_pixels(source, target)  # 7 of 70 test images: the default limit of 0.1
    draft.describe_pixels()
    assert _results(draft)["test_leak_share"].passed


def test_quarantined_images_are_not_checked() -> None:
    draft = valid_draft()
    leak, blank = draft.rows("test", 0)[0], draft.rows("train", 2)[0]
    draft.copy_pixels(draft.rows("train", 0)[0], leak)
    draft.images[blank] = 0
    draft.describe_pixels()
    draft.set("status", [leak, blank], QUARANTINED)
    assert _failed(_results(draft)) == set()


def test_imbalance_is_a_warning_with_the_ratio() -> None:
    config = ValidationConfig(max_class_imbalance=1.4)
    draft = valid_draft()
    assert _failed(_results(draft, config)) == set()
    draft.set("status", draft.rows("train", 1)[20:], QUARANTINED)
    result = _results(draft, config)["class_imbalance"]
    assert (result.passed, result.severity, result.observed) == (False, "warning", "1.5")


def test_too_small_classes_are_listed_with_their_counts() -> None:
    draft = valid_draft()
    for label in (1, 5):
        draft.set("status", draft.rows("train", label)[label:], QUARANTINED)
    assert _results(draft)["images_per_class"].observed == "disgust 1, surprise 5"


def test_unlabelled_images_fail_the_label_checks() -> None:
    draft = valid_draft()
    draft.table["label"] = -1
    results = _results(draft, ValidationConfig(max_unlabelled_fraction=0.5))
    assert _failed(results) == {
        *("labels_present", "unlabelled_share", "images_per_class", "splits_labelled"),
    }
    assert "fraction 1)" in results["unlabelled_share"].observed


def test_a_split_without_labels_is_a_warning_of_its_own() -> None:
    draft = valid_draft()
    draft.table.loc[draft.table["split"] == "test", "label"] = -1
    results = _results(draft)
    assert _failed(results) == {"splits_labelled"}
    assert results["splits_labelled"].severity == "warning"
    assert results["splits_labelled"].observed == "test"
    assert results["split_sizes"].observed == "train 210, validation 70"


def test_unlabelled_images_do_not_make_a_split_large_enough() -> None:
    draft = valid_draft()
    labelled = [row for label in range(7) for row in draft.rows("test", label)[:7]]
    others = draft.table.index[draft.table["split"] == "test"].difference(labelled)
    draft.set("label", [int(row) for row in others], -1)
    results = _results(draft)
    assert _failed(results) == {"split_sizes"}
    assert results["split_sizes"].observed == "test 49"


def test_images_without_splits_are_checked_as_a_whole() -> None:
    draft = valid_draft()
    draft.table["split"] = ""
    results = _results(draft)
    assert _failed(results) == {"splits_assigned"}
    assert results["split_sizes"].observed == "no rows to check"
    assert results["test_in_train"].observed == "no images to check"


def test_a_missing_training_split_fails() -> None:
    draft = valid_draft()
    draft.set("split", list(range(210)), "test")
    failed = _failed(_results(draft))
    assert failed == {"training_split_present", "images_per_class"}


def test_a_single_class_fails() -> None:
    draft = valid_draft()
    draft.table["label"] = 3
    results = _results(draft)
    assert _failed(results) == {"images_per_class", "classes_held_out"}
    assert "happy" not in results["images_per_class"].observed


def test_an_empty_snapshot_fails() -> None:
    draft = valid_draft()
    draft.table, draft.images = draft.table.iloc[:0], draft.images[:0]
    assert _failed(_results(draft)) == {"images_present", "labels_present", "images_per_class"}


def test_a_missing_column_is_reported_and_does_not_crash() -> None:
    from validation.runner import evaluate
    from validation.settings import checks_for
    from validation.tables import build_tables

    tables = build_tables(valid_draft().snapshot())
    tables["images"] = tables["images"].drop(columns="row")
    tables["kept"] = tables["kept"].drop(columns="mean")
    evaluation = evaluate(tables, checks_for(ValidationConfig()))
    results = {r.check: r for r in evaluation.results}
    assert results["manifest_columns"].observed == "missing: row"
    assert not results["dark_images"].passed
    assert "could not run: Error: The column" in results["dark_images"].observed
