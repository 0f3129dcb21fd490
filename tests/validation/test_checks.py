"""Each planted defect trips its check, and no other."""

from collections.abc import Callable

import numpy as np
import pytest

from fer_models.dataset.snapshot import QUARANTINED
from fer_models.labels import VOTE_COLUMNS, FerPlusVote
from tests.validation.snapshots import Draft, sound_draft
from validation.checks import MAX_EXAMPLES, CheckResult
from validation.config import ValidationConfig

Spoil = Callable[[Draft], None]


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


def _spoil_nothing(draft: Draft) -> None:
    """Sound data trips nothing."""


def _repeat_an_id(draft: Draft) -> None:
    draft.set("image_id", [5], "hand:4")


def _blank_an_id(draft: Draft) -> None:
    draft.set("image_id", [5], "  ")


def _invent_a_status(draft: Draft) -> None:
    draft.set("status", [5], "doubtful")


def _give_too_many_votes(draft: Draft) -> None:
    for column in VOTE_COLUMNS:
        draft.set(column, [5], 2)


def _lose_a_vote(draft: Draft) -> None:
    for column in VOTE_COLUMNS[1:]:
        draft.set(column, [5], 0)


def _change_pixels(draft: Draft) -> None:
    draft.images[5, 0, 0] ^= 1


def _misname_a_group(draft: Draft) -> None:
    draft.set("duplicate_group", [5], 3)


def _invent_a_class(draft: Draft) -> None:
    draft.set("label", [5], 7)


def _vote_no_face(draft: Draft) -> None:
    for column in VOTE_COLUMNS:
        draft.set(column, [5], 0)
    draft.set(VOTE_COLUMNS[FerPlusVote.NF], [5], 6)


def _invent_a_split(draft: Draft) -> None:
    draft.set("split", [5], "PublicTest")


def _forget_a_split(draft: Draft) -> None:
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


def _leak(source: tuple[str, int], target: tuple[str, int]) -> Spoil:
    def spoil(draft: Draft) -> None:
        draft.copy_pixels(draft.rows(*source)[0], draft.rows(*target)[0])
        draft.describe_pixels()

    return spoil


def _shrink_a_split(draft: Draft) -> None:
    for label in range(7):
        draft.set("status", draft.rows("test", label)[7:], QUARANTINED)


def _shrink_a_class(draft: Draft) -> None:
    draft.set("status", draft.rows("train", 1)[19:], QUARANTINED)


def _lose_a_class_in_test(draft: Draft) -> None:
    draft.set("split", draft.rows("test", 1), "train")


@pytest.mark.parametrize(
    ("spoil", "failed"),
    [
        (_repeat_an_id, {"image_ids_unique"}),
        (_blank_an_id, {"image_ids_readable"}),
        (_invent_a_status, {"status_known"}),
        (_give_too_many_votes, {"votes_in_range"}),
        (_lose_a_vote, {"votes_complete"}),
        (_change_pixels, {"pixels_as_described"}),
        (_misname_a_group, {"copies_as_described"}),
        (_invent_a_class, {"labels_in_range"}),
        (_vote_no_face, {"faces_by_vote"}),
        (_invent_a_split, {"splits_known"}),
        (_forget_a_split, {"splits_assigned"}),
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
        (_lose_a_class_in_test, {"classes_held_out"}),
        (_spoil_nothing, set()),
    ],
)
def test_a_defect_trips_its_check_only(spoil: Spoil, failed: set[str]) -> None:
    draft = sound_draft()
    spoil(draft)
    results = _results(draft)
    assert _failed(results) == failed
    for name in failed:
        result = results[name]
        assert result.num_unexpected > 0
        assert len(result.examples) == min(result.num_unexpected, MAX_EXAMPLES) or (
            not result.examples and result.topic in {"splits", "class_balance"}
        )


def test_examples_are_the_ids_of_the_failing_images() -> None:
    draft = sound_draft()
    for row in range(20, 32):
        draft.copy_pixels(19, row)
    draft.describe_pixels()
    result = _results(draft)["exact_copies"]
    assert result.num_unexpected == 12
    assert result.examples == tuple(f"hand:{row}" for row in range(20, 30))
    assert result.observed == "12 of 350 images are otherwise (share 0.0343)"


def test_above_the_allowed_share_a_defect_is_an_error() -> None:
    draft = sound_draft()
    train, test = draft.rows("train", 0), draft.rows("test", 0)
    for source, target in zip(train, test[:8], strict=False):
        draft.copy_pixels(source, target)
    draft.images[draft.rows("train", 3)[:8]] = 0
    draft.describe_pixels()
    results = _results(draft)
    errors = {name for name in _failed(results) if results[name].severity == "error"}
    assert errors == {"test_leak_share", "blank_image_share", "dark_image_share"}
    assert results["test_leak_share"].examples == tuple(f"hand:{row}" for row in test[:8])
    assert results["test_leak_share"].expected.startswith("a share of at most 0.1 of the test")


def test_exactly_the_allowed_share_passes() -> None:
    draft = sound_draft()
    for source, target in zip(draft.rows("train", 0), draft.rows("test", 0)[:7], strict=False):
        draft.copy_pixels(source, target)  # 7 of 70 test images: the default limit of 0.1
    draft.describe_pixels()
    assert _results(draft)["test_leak_share"].passed


def test_what_is_in_quarantine_is_not_held_against_the_data() -> None:
    draft = sound_draft()
    leak, blank = draft.rows("test", 0)[0], draft.rows("train", 2)[0]
    draft.copy_pixels(draft.rows("train", 0)[0], leak)
    draft.images[blank] = 0
    draft.describe_pixels()
    draft.set("status", [leak, blank], QUARANTINED)
    assert _failed(_results(draft)) == set()


def test_imbalance_is_a_warning_with_the_ratio() -> None:
    config = ValidationConfig(max_class_imbalance=1.4)
    draft = sound_draft()
    assert _failed(_results(draft, config)) == set()
    draft.set("status", draft.rows("train", 1)[20:], QUARANTINED)
    result = _results(draft, config)["class_imbalance"]
    assert (result.passed, result.severity, result.observed) == (False, "warning", "1.5")


def test_too_small_classes_are_named_with_their_counts() -> None:
    draft = sound_draft()
    for label in (1, 5):
        draft.set("status", draft.rows("train", label)[label:], QUARANTINED)
    assert _results(draft)["images_per_class"].observed == "disgust 1, surprise 5"


def test_images_without_labels() -> None:
    draft = sound_draft()
    draft.table["label"] = -1
    results = _results(draft, ValidationConfig(max_unlabelled_fraction=0.5))
    assert _failed(results) == {"labels_present", "unlabelled_share", "images_per_class"}
    assert "share 1)" in results["unlabelled_share"].observed


def test_images_without_any_split_are_judged_as_a_whole() -> None:
    draft = sound_draft()
    draft.table["split"] = ""
    results = _results(draft)
    assert _failed(results) == {"splits_assigned"}
    assert results["split_sizes"].observed == "none is there"
    assert results["test_in_train"].observed == "no image to look at"


def test_no_training_split_where_others_are() -> None:
    draft = sound_draft()
    draft.set("split", list(range(210)), "test")
    failed = _failed(_results(draft))
    assert failed == {"training_split_present", "images_per_class"}


def test_one_class_only() -> None:
    draft = sound_draft()
    draft.table["label"] = 3
    results = _results(draft)
    assert _failed(results) == {"images_per_class", "classes_held_out"}
    assert "happy" not in results["images_per_class"].observed


def test_no_image_at_all() -> None:
    draft = sound_draft()
    draft.table, draft.images = draft.table.iloc[:0], draft.images[:0]
    assert _failed(_results(draft)) == {"images_present", "labels_present", "images_per_class"}


def test_a_column_that_is_gone_is_told_not_a_crash() -> None:
    from validation.runner import evaluate
    from validation.settings import checks_for
    from validation.tables import build_tables

    tables = build_tables(sound_draft().snapshot())
    tables["images"] = tables["images"].drop(columns="row")
    tables["kept"] = tables["kept"].drop(columns="mean")
    evaluation = evaluate(tables, checks_for(ValidationConfig()))
    results = {r.check: r for r in evaluation.results}
    assert results["manifest_columns"].observed == "missing: row"
    assert not results["dark_images"].passed
    assert "could not be made: Error: The column" in results["dark_images"].observed
