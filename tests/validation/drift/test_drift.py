"""Drift statistics match scipy, name the class or statistic, and ignore chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from fer_models.dataset.snapshot import QUARANTINED, write_snapshot
from fer_models.errors import ConfigError
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.validation.snapshots import Draft, valid_draft
from validation.checks import CheckResult
from validation.config import ValidationConfig
from validation.drift.reference import find_reference, open_reference, sample_of
from validation.drift.statistics import (
    CHANCE,
    chance_jensen_shannon,
    chance_kolmogorov_smirnov,
    chance_share,
    jensen_shannon_distance,
    kolmogorov_smirnov_distance,
)
from validation.gate import validate_snapshot

counts = st.lists(st.integers(0, 500), min_size=7, max_size=7).filter(any)
values = st.lists(st.floats(0, 255, width=32), min_size=1, max_size=40)
Records = dict[str, CheckResult]


@settings(max_examples=100)
@given(counts, counts)
def test_class_distance_matches_scipy(first: list[int], second: list[int]) -> None:
    distance = jensen_shannon_distance(first, second)
    reference = jensenshannon(np.array(first) / sum(first), np.array(second) / sum(second), base=2)
    # Near 0 scipy takes the root of a rounding error, which may be negative.
    assert distance == pytest.approx(np.nan_to_num(reference), abs=1e-6)
    assert distance == pytest.approx(jensen_shannon_distance(second, first))


@settings(max_examples=100)
@given(values, values)
def test_pixel_distance_is_the_largest_gap_between_the_distribution_functions(
    first: list[float], second: list[float]
) -> None:
    gaps = [
        abs(np.mean(np.array(first) <= value) - np.mean(np.array(second) <= value))
        for value in {*first, *second}
    ]
    distance = kolmogorov_smirnov_distance(np.array(first), np.array(second))
    assert distance == pytest.approx(max(gaps))


def test_samples_of_the_same_data_rarely_exceed_the_chance_limit() -> None:
    rng = np.random.default_rng(3)
    shares, num_first, num_second = [0.25, 0.2, 0.15, 0.15, 0.13, 0.1, 0.02], 400, 3000
    above = np.zeros(3)
    draws = 3000
    for first, second in zip(
        rng.multinomial(num_first, shares, draws),
        rng.multinomial(num_second, shares, draws),
        strict=True,
    ):
        distance = jensen_shannon_distance(first, second)
        above[0] += distance > chance_jensen_shannon(7, num_first, num_second)
        pooled = (first[0] + second[0]) / (num_first + num_second)
        change = abs(first[0] / num_first - second[0] / num_second)
        above[1] += change > chance_share(pooled, num_first, num_second)
    for _ in range(500):
        distance = kolmogorov_smirnov_distance(rng.normal(size=num_first), rng.normal(size=900))
        above[2] += distance > chance_kolmogorov_smirnov(num_first, 900)
    assert (above[:2] / draws <= 5 * CHANCE).all()
    assert above[:2].sum() > 0
    assert above[2] / 500 <= 5 * CHANCE


def test_empty_samples_have_distance_zero() -> None:
    assert jensen_shannon_distance([0, 0], [3, 4]) == 0.0
    assert kolmogorov_smirnov_distance(np.array([]), np.array([1.0])) == 0.0
    assert chance_jensen_shannon(7, 0, 5) == chance_kolmogorov_smirnov(0, 5) == 0.0
    assert chance_share(0.0, 0, 0) == 0.0


def _written(store: ArtifactStore, draft: Draft, step: str = "ingest") -> SnapshotRef:
    return write_snapshot(store, draft.table, draft.images, step)


def _drift(draft: Draft, **changes: float) -> Records:
    """Failed drift checks of the draft against the valid one, by name."""
    from validation.drift.checks import checks, drift_table
    from validation.runner import evaluate

    config = ValidationConfig(reference="any", **changes)  # type: ignore[arg-type]
    table = drift_table(sample_of(valid_draft().snapshot()), sample_of(draft.snapshot()))
    results = evaluate({"drift": table}, checks(config)).results
    return {result.check: result for result in results if not result.passed}


def test_identical_data_does_not_drift() -> None:
    assert _drift(valid_draft(), class_drift_warning=0, pixel_drift_warning=0) == {}


def test_brighter_images_are_reported_with_the_distance() -> None:
    draft = valid_draft()
    draft.images = (draft.images * 0.9 + 25).astype(np.uint8)
    draft.describe_pixels()
    failed = _drift(draft)
    assert set(failed) == {
        "image_mean_drift",
        "image_mean_strong_drift",
        "image_std_drift",
        "image_std_strong_drift",
    }
    assert failed["image_mean_drift"].severity == "warning"
    assert failed["image_mean_strong_drift"].severity == "error"
    assert failed["image_mean_drift"].observed.startswith("1 (chance limit ")
    assert "average 127.5 -> 139.3" in failed["image_mean_drift"].observed


def test_a_lost_class_is_named() -> None:
    draft = valid_draft()
    draft.set("label", list(np.flatnonzero(draft.table["label"] == 1)), 3)
    failed = _drift(draft)
    assert set(failed) == {"classes_lost", "class_share_drift", "class_share_strong_drift"}
    assert failed["classes_lost"].observed == "missing: disgust (was 0.143)"
    assert "largest change: " in failed["class_share_drift"].observed
    assert "0.143 -> 0" in failed["class_share_drift"].observed


def test_more_copies_and_fewer_labels_are_reported() -> None:
    draft = valid_draft()
    for row in range(40):
        draft.copy_pixels(100, row)
    draft.set("label", list(range(0, 350, 8)), -1)
    draft.describe_pixels()
    failed = _drift(draft)
    assert set(failed) == {"copy_share_drift", "unlabelled_share_drift"}
    assert failed["copy_share_drift"].observed.endswith("share 0 -> 0.114")
    assert failed["unlabelled_share_drift"].observed.endswith("share 0 -> 0.126")


def test_differences_within_the_chance_limit_are_no_drift() -> None:
    """84 images with other class shares than the reference."""
    draft = valid_draft()
    keep = [row for label in range(7) for row in draft.rows("train", label)[: 15 - label]]
    draft.set("status", [row for row in range(350) if row not in keep], QUARANTINED)
    failed = _drift(draft, pixel_drift_warning=0.02, class_drift_warning=0.02)
    assert failed == {}


def test_data_without_labels_fails_the_label_share_not_the_classes() -> None:
    draft = valid_draft()
    draft.table["label"] = -1
    assert set(_drift(draft)) == {
        "unlabelled_share_drift",
        "unlabelled_share_strong_drift",
    }


def test_the_page_plots_the_reference_and_the_data(store: ArtifactStore) -> None:
    reference = _written(store, valid_draft())
    draft = valid_draft()
    draft.set("label", list(np.flatnonzero(draft.table["label"] == 1)), 3)
    found = validate_snapshot(
        store, _written(store, draft), ValidationConfig(reference=reference.id[:10])
    )
    records = {r["check"]: r for r in store.read_json(found, "results.json")}
    assert not records["classes_lost"]["passed"]
    assert store.info(found)["reference_id"] == reference.id
    page = store.read_file(found, "report.html").decode()
    assert reference.id in page
    assert "0.143 → 0.000" in page
    assert page.count("<polyline") == 4


def test_an_unknown_reference_is_reported_before_any_work(store: ArtifactStore) -> None:
    ref = _written(store, valid_draft())
    with pytest.raises(ConfigError, match="invalid settings") as caught:
        validate_snapshot(
            store,
            SnapshotRef(id="absent", url=""),
            ValidationConfig(reference="nope", severities={"exact_copie": "off"}),
        )
    assert caught.value.exit_code == 2
    assert len(caught.value.problems) == 2
    assert f"starts with it; snapshots: {ref.id[:12]}" in caught.value.problems[0]


def test_an_ambiguous_reference_is_rejected(store: ArtifactStore) -> None:
    for name in ("ab1", "ab2", "ab"):
        store.put(SnapshotRef, name, {}, {})
    with pytest.raises(ConfigError, match=r"3 snapshot ids .* start with it: ab, ab1, ab2"):
        find_reference(store, "a")
    assert find_reference(store, "ab").id == "ab"
    url = store.artifact_url(SnapshotRef, "ab1")
    assert find_reference(store, "ab1").url == find_reference(store, url).url == url


def test_a_derived_reference_is_replaced_by_its_ancestor_of_the_same_step(
    store: ArtifactStore,
) -> None:
    raw = _written(store, valid_draft())
    draft = valid_draft()
    draft.set("status", [3], QUARANTINED)
    cleaned = write_snapshot(store, draft.table, draft.images, "clean", parent=raw)
    split = write_snapshot(store, draft.table, draft.images, "split", parent=cleaned)
    assert open_reference(store, split.id, "ingest").ref.id == raw.id
    assert open_reference(store, split.id, "clean").ref.id == cleaned.id
    assert open_reference(store, raw.id, "clean").ref.id == raw.id


def test_the_error_threshold_must_not_be_below_the_warning_threshold() -> None:
    with pytest.raises(ValueError, match="class_drift_error must not be below"):
        ValidationConfig(class_drift_warning=0.3)
