"""Two runs compared: on the same images only, with exact tests and honest intervals."""

from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from fer_models.dataset.snapshot import (
    QUARANTINED,
    DatasetSnapshot,
    first_of_group,
    open_snapshot,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import read_predictions
from fer_models.history.comparison.common import common_images
from fer_models.history.comparison.compare import compare_runs
from fer_models.history.comparison.models import compare_models
from fer_models.history.comparison.page import comparison_page
from fer_models.history.comparison.paired import paired_difference
from fer_models.history.comparison.view import common_text, verdict
from fer_models.labels import CLASS_NAMES
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot, draw_probabilities
from tests.fer_models.history.builders import BuiltRun, build_run

HOUR_S = 3600.0
START_S = 1_800_000_000.0


def changed_snapshot(store: ArtifactStore, ref: SnapshotRef, **columns: Any) -> SnapshotRef:
    """The same images with other values in some columns of the manifest."""
    opened = open_snapshot(store, ref)
    return write_snapshot(store, opened.manifest.assign(**columns), opened.images, "split", ref)


def pair(store: ArtifactStore, other: SnapshotRef | None = None) -> tuple[BuiltRun, BuiltRun]:
    first = build_run(store, 0, 0.4, started_s=START_S, name="first")
    second = build_run(store, 1, 2.6, other, started_s=START_S + HOUR_S, name="second")
    return first, second


Pair = tuple[ArtifactStore, BuiltRun, BuiltRun]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two runs on the same data; the tests only read them."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("pair"))))
    return store, *pair(store)


def opened(store: ArtifactStore, run: BuiltRun) -> DatasetSnapshot:
    return open_snapshot(store, run.outcome.trained.prepared.snapshot)


def test_candidates_are_compared_on_the_same_images(shared: Pair) -> None:
    store, first, second = shared
    result = compare_runs(store, first.record, second.record)
    snapshot = opened(store, first)
    correct = [
        read_predictions(store, snapshot, run.outcome.trained.ensemble.candidate)["test"].correct
        for run in (first, second)
    ]
    only_a, only_b = int((correct[0] & ~correct[1]).sum()), int((correct[1] & ~correct[0]).sum())
    overall = result.overall
    assert overall is not None
    assert (overall.only_a_correct, overall.only_b_correct) == (only_a, only_b)
    assert overall.p_value == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert overall.a.accuracy == pytest.approx(correct[0].mean())
    assert overall.b.accuracy == pytest.approx(correct[1].mean())
    assert overall.difference == pytest.approx(correct[1].mean() - correct[0].mean())
    assert overall.low < overall.difference < overall.high
    cells = (overall.both_correct, only_a, only_b, overall.none_correct)
    assert sum(cells) == overall.n == len(correct[0])
    assert set(result.classes) <= set(CLASS_NAMES)
    assert sum(one.n for one in result.classes.values()) == overall.n
    assert sum(one.only_b_correct for one in result.classes.values()) == only_b
    assert [change.path for change in result.settings] == ["seed"]
    assert result.common is not None
    assert result.common.same_snapshot
    assert verdict(result).label == "B is better"
    assert verdict(compare_runs(store, second.record, first.record)).label == "B is worse"


def test_without_disagreement_the_interval_still_has_a_width() -> None:
    correct = np.array([True] * 9 + [False])
    same = paired_difference(correct, correct)
    assert (same.difference, same.p_value) == (0, 1)
    assert same.low < -0.1
    assert same.high > 0.1


def test_copies_make_no_difference_significant() -> None:
    """Ten images of which one is better known to B, each in the set eight times."""
    a, b = np.zeros(10, dtype=bool), np.arange(10) == 0
    groups = np.repeat(np.arange(10), 8)
    copied = paired_difference(np.repeat(a, 8), np.repeat(b, 8), groups)
    once = paired_difference(a, b)
    assert copied.p_value < 0.05 < once.p_value
    assert not copied.is_significant
    assert (copied.low, copied.high) == pytest.approx((once.low, once.high))
    assert (copied.b.low, copied.b.high) == pytest.approx((once.b.low, once.b.high))
    independent = paired_difference(np.repeat(a, 8), np.repeat(b, 8))
    assert independent.is_significant
    assert copied.low < 0 < independent.low


def test_copies_in_a_split_say_no_more_than_their_originals(store: ArtifactStore) -> None:
    base = open_snapshot(store, build_snapshot(store, 280, num_leaks=0))
    test = base.positions("test")[:50]
    firsts = np.repeat(test[::5], 5)
    images, labels = np.array(base.images), base.manifest["label"].to_numpy().copy()
    images[test], labels[test] = images[firsts], labels[firsts]
    status = base.manifest["status"].to_numpy().copy()
    status[base.positions("test")[50:]] = QUARANTINED
    table = base.manifest.assign(label=labels, status=status, pixel_sha256=pixel_sha256(images))
    table = table.assign(duplicate_group=first_of_group(table["pixel_sha256"]))
    snapshot = write_snapshot(store, table, images, "split")
    models = []
    for seed, skill in enumerate((0.5, 2.5)):
        probabilities = {
            "validation": draw_probabilities(labels[base.positions("validation")], skill, seed),
            "test": np.repeat(draw_probabilities(labels[test[::5]], skill, seed), 5, axis=0),
        }
        models.append(build_model(store, snapshot, f"m{seed}", probabilities=probabilities))
    (found,) = compare_models(store, *models, splits=("test",)).splits
    correct = [
        read_predictions(store, open_snapshot(store, snapshot), one)["test"].correct[::5]
        for one in models
    ]
    once = paired_difference(*correct)
    assert found.overall.n == 5 * once.n == 50
    assert (found.overall.low, found.overall.high) == pytest.approx((once.low, once.high))
    assert (found.overall.a.low, found.overall.a.high) == pytest.approx((once.a.low, once.a.high))


def test_images_of_two_snapshots_are_matched_one_to_one(store: ArtifactStore) -> None:
    ref = build_snapshot(store, 140)
    base = open_snapshot(store, ref)
    test = base.positions("test")
    moved, renamed, relabelled = test[0], test[1], test[2]
    ids, labels = base.manifest["image_id"].copy(), base.manifest["label"].copy()
    splits = base.manifest["split"].copy()
    splits.iloc[moved] = "train"
    ids.iloc[renamed] = "other-name"
    labels.iloc[relabelled] = (labels.iloc[relabelled] + 1) % 7
    other = open_snapshot(
        store, changed_snapshot(store, ref, image_id=ids, label=labels, split=splits)
    )
    common = common_images(base, other, "test")
    assert (common.only_a, common.only_b) == (1, 0)
    assert (common.by_pixels, common.relabelled) == (1, 1)
    assert common.by_id == len(test) - 2
    assert len(common.rows_a) == len(common.rows_b) == len(test) - 2
    theirs = other.positions("test")
    pixels = [
        snapshot.manifest["pixel_sha256"].to_numpy()[positions]
        for snapshot, positions in ((base, test[common.rows_a]), (other, theirs[common.rows_b]))
    ]
    assert (pixels[0] == pixels[1]).all()
    assert 2 not in common.rows_a


def test_copies_are_not_matched_by_pixels_alone(store: ArtifactStore) -> None:
    """An image that occurs twice under new ids could be matched with either."""
    ref = build_snapshot(store, 140)
    base = open_snapshot(store, ref)
    first, second = base.positions("test")[:2]
    shas, ids = base.manifest["pixel_sha256"].copy(), base.manifest["image_id"].copy()
    shas.iloc[second] = shas.iloc[first]
    twins = open_snapshot(store, changed_snapshot(store, ref, pixel_sha256=shas))
    renamed = open_snapshot(
        store, changed_snapshot(store, ref, pixel_sha256=shas, image_id="new-" + ids)
    )
    common = common_images(twins, renamed, "test")
    assert common.by_id == 0
    assert common.only_a == common.only_b == 2
    # Under their own ids they are matched.
    assert common_images(twins, twins, "test").only_a == 0


def test_runs_with_other_data_are_compared_on_what_they_share(store: ArtifactStore) -> None:
    shared = build_snapshot(store, 350)
    base = open_snapshot(store, shared)
    splits = base.manifest["split"].copy()
    gone = base.positions("test")[:20]
    splits.iloc[gone] = "train"
    first, second = pair(store, changed_snapshot(store, shared, split=splits))
    result = compare_runs(store, first.record, second.record)
    assert result.overall is not None
    assert result.overall.n == len(base.positions("test")) - 20
    assert common_text(result) == (
        f"the snapshots differ: {result.overall.n} test images that both runs have; "
        "left out: 20 only in A"
    )
    differing = {row.name: (row.a, row.b) for row in result.counts if row.differs}
    tests = len(base.positions("test"))
    assert differing["test"] == (tests, tests - 20)
    assert set(differing) == {"train", "test"}
    # The rows were matched: each prediction belongs to its image.
    theirs = read_predictions(
        store, opened(store, second), second.outcome.trained.ensemble.candidate
    )["test"]
    expected = theirs.correct.mean()
    assert result.overall.b.accuracy == pytest.approx(expected)


def test_runs_without_common_images_are_compared_by_settings_and_data_only(
    store: ArtifactStore,
) -> None:
    first, second = pair(store, build_snapshot(store, 350, seed=9))
    result = compare_runs(store, first.record, second.record)
    assert result.overall is None
    assert "no image with the same label in common in test or validation" in result.problem
    assert verdict(result).label == "not comparable"
    assert [change.path for change in result.settings] == ["seed"]
    assert "no image with the same label in common" in comparison_page(store, result)


def test_the_split_can_be_chosen(shared: Pair) -> None:
    store, first, second = shared
    result = compare_runs(store, first.record, second.record, "validation")
    assert result.split == "validation"
    assert result.overall is not None
    assert result.overall.n == len(opened(store, first).positions("validation"))


def test_a_failed_run_has_nothing_to_compare(shared: Pair) -> None:
    store, first, _ = shared
    failed = first.record.model_copy(update={"headline": None, "state": "failed"})
    result = compare_runs(store, first.record, failed)
    assert result.problem == f"run {failed.id} has no evaluated candidate (failed)"


def test_a_removed_model_is_reported(store: ArtifactStore) -> None:
    first, second = pair(store)
    store.remove_folder(f"models/{second.record.candidate}")
    result = compare_runs(store, first.record, second.record)
    assert str(second.record.candidate) in result.problem
    with pytest.raises(StoreError):
        store.info(second.outcome.trained.ensemble.candidate)


class _Balance(HTMLParser):
    """Finds unbalanced elements and everything that a page would load."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.loaded: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)
        self.loaded += [
            value
            for name, value in attrs
            if name in ("src", "href", "xlink:href") and not value.startswith(("#", "data:"))
        ]

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)


def test_the_page_is_whole_self_contained_and_escaped(shared: Pair) -> None:
    store, first, second = shared
    record = second.record.model_copy(update={"name": "<script>alert(1)</script>"})
    html = comparison_page(store, compare_runs(store, first.record, record))
    page = _Balance(html)
    assert page.open == page.unbalanced == page.loaded == []
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert html.count("<svg") == 2
    for text in ("B is better", "McNemar", "compact_cnn", "in both", "happy"):
        assert text in html
