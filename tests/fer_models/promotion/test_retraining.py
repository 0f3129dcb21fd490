"""The decision to retrain: every criterion with its figure."""

import json
from typing import Any

import numpy as np
import pytest

from fer_models.dataset.snapshot import QUARANTINED, open_snapshot, write_snapshot
from fer_models.drift.results import RESULT_FILE, Measure
from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.promotion.criteria import Criterion
from fer_models.promotion.new_data import DataChange, data_change
from fer_models.promotion.promote import promote_candidate
from fer_models.promotion.retraining import RetrainingDecision, retraining_decision
from fer_models.storage.refs import DriftRef, ModelRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot

DAY_S = 86_400
NAMES = ["no champion", "champion damaged", "new data", "age", "drift", "force"]


def _decide(
    store: ArtifactStore, snapshot: SnapshotRef, days: float = 3, **settings: Any
) -> RetrainingDecision:
    entry = Registry(store).current(CHAMPION)
    now = (entry.time_s if entry else 0.0) + days * DAY_S
    return retraining_decision(store, snapshot, RetrainingConfig(**settings), now)


def _criterion(decision: RetrainingDecision, name: str) -> Criterion:
    [found] = [criterion for criterion in decision.criteria if criterion.name == name]
    return found


def test_without_a_champion_one_is_trained(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    decision = _decide(store, snapshot)
    assert decision.retrain
    assert decision.reasons == ("there is no champion yet",)
    assert decision.seed_shift == 0
    assert [one.name for one in decision.criteria] == NAMES
    assert [one.name for one in decision.criteria if one.judged] == ["no champion", "force"]


@pytest.mark.usefixtures("champion")
def test_a_young_champion_of_the_same_data_is_kept(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    decision = _decide(store, snapshot)
    assert not decision.retrain
    assert decision.reasons == ()
    assert [one.name for one in decision.criteria] == NAMES
    age = _criterion(decision, "age")
    assert (age.observed, age.threshold, age.outcome) == ("3.0 days", "more than 30 days", "no")
    data = _criterion(decision, "new data")
    assert data.observed == "0 added, 0 removed, 0 relabelled"
    assert data.threshold == "1 or more changed images"
    drift = _criterion(decision, "drift")
    assert drift.outcome == "not judged"
    assert "recent_images is empty" in drift.text


@pytest.mark.usefixtures("champion")
def test_age_new_data_and_force_are_reported_together(store: ArtifactStore) -> None:
    newer = build_snapshot(store, seed=4)
    decision = _decide(store, newer, 31, force=True)
    assert decision.retrain
    data, age, force = decision.reasons
    assert newer.id[:12] in data
    assert "31.0 days old, more than 30" in age
    assert "force" in force
    assert decision.seed_shift == 0


@pytest.mark.usefixtures("champion")
def test_the_same_data_get_another_seed(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    decision = _decide(store, snapshot, force=True)
    assert decision.seed_shift > 0
    assert _decide(store, snapshot, force=True) == decision


@pytest.mark.usefixtures("champion")
def test_every_challenger_of_the_same_data_gets_a_seed_of_its_own(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    """Whether the one before was refused or promoted: the same seed would give it again."""
    shifts = [_decide(store, snapshot, force=True).seed_shift]
    for number, (skill, promoted) in enumerate([(1.2, False), (1.3, False), (4.0, True)]):
        challenger = build_model(store, snapshot, f"challenger-{number}", skill, 20 + number)
        promotion = promote_candidate(store, snapshot, challenger, PromotionConfig())
        assert promotion.promoted == promoted
        shifts.append(_decide(store, snapshot, force=True).seed_shift)
    assert len(set(shifts)) == len(shifts)


@pytest.mark.usefixtures("champion")
def test_new_data_can_be_ignored(store: ArtifactStore) -> None:
    decision = _decide(store, build_snapshot(store, seed=4), on_new_data=False)
    assert not decision.retrain
    assert "on_new_data" in _criterion(decision, "new data").text


def test_a_champion_whose_artifact_is_missing_is_retrained(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    Registry(store).set(CHAMPION, "gone-123", "by hand")
    decision = _decide(store, snapshot)
    assert decision.retrain
    assert "gone-123 is missing from the store" in decision.reasons[0]


def test_a_champion_with_a_damaged_file_is_retrained(
    store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
) -> None:
    (store.local_root / "models" / champion.id / "probabilities.npz").write_bytes(b"half")
    decision = _decide(store, snapshot)
    assert decision.retrain
    assert f"{champion.id} is damaged" in decision.reasons[0]
    assert _criterion(decision, "champion damaged").observed == "damaged"


def _edited(store: ArtifactStore, snapshot: SnapshotRef, edit: Any) -> SnapshotRef:
    opened = open_snapshot(store, snapshot)
    table, images = edit(opened.manifest.copy(), np.array(opened.images))
    return write_snapshot(store, table.reset_index(drop=True), images, "split")


class TestNewDataByContent:
    """Images are compared by their pixels."""

    def test_another_order_and_other_names_are_no_change(
        self, store: ArtifactStore, snapshot: SnapshotRef
    ) -> None:
        def reorder(table: Any, images: Any) -> Any:
            order = np.random.default_rng(0).permutation(len(table))
            table = table.iloc[order]
            table["image_id"] = [f"renamed-{row}" for row in range(len(table))]
            table["split"] = np.roll(table["split"].to_numpy(), 5)
            return table, images[order]

        resorted = _edited(store, snapshot, reorder)
        assert resorted.id != snapshot.id
        assert data_change(store, snapshot, resorted) == DataChange(0, 0, 0)

    def test_added_removed_and_relabelled_images_are_counted(self, store: ArtifactStore) -> None:
        snapshot = build_snapshot(store, num_quarantined=0, num_leaks=0)

        def change(table: Any, images: Any) -> Any:
            table = table.iloc[3:].reset_index(drop=True)  # three removed
            table.loc[0, "label"] = (table.loc[0, "label"] + 1) % 7
            table.loc[1, "pixel_sha256"] = "0" * 64  # one removed, another one added
            return table, images[3:]

        changed = _edited(store, snapshot, change)
        assert data_change(store, snapshot, changed) == DataChange(1, 4, 1)
        assert data_change(store, changed, snapshot) == DataChange(4, 1, 1)

    def test_automatic_quarantine_is_no_change(self, store: ArtifactStore) -> None:
        snapshot = build_snapshot(store, num_leaks=0)

        def quarantine(table: Any, images: Any) -> Any:
            table.loc[:4, ["status", "reason"]] = [QUARANTINED, "near_duplicate"]
            return table, images

        assert data_change(store, snapshot, _edited(store, snapshot, quarantine)).total == 0

    def test_images_that_people_dropped_count_as_removed(self, store: ArtifactStore) -> None:
        snapshot = build_snapshot(store, num_leaks=0)

        def drop(table: Any, images: Any) -> Any:
            table.loc[:4, ["status", "reason"]] = [QUARANTINED, "by_person"]
            return table, images

        assert data_change(store, snapshot, _edited(store, snapshot, drop)) == DataChange(0, 5, 0)

    @pytest.mark.usefixtures("champion")
    @pytest.mark.parametrize(("minimum", "retrain"), [(4, True), (5, False)])
    def test_the_threshold_counts_all_changes(
        self, store: ArtifactStore, snapshot: SnapshotRef, minimum: int, retrain: bool
    ) -> None:
        def remove(table: Any, images: Any) -> Any:
            return table.iloc[4:], images[4:]

        smaller = _edited(store, snapshot, remove)
        decision = _decide(store, smaller, min_new_images=minimum)
        assert decision.retrain is retrain
        data = _criterion(decision, "new data")
        assert data.observed == "0 added, 4 removed, 0 relabelled"
        assert data.threshold == f"{minimum} or more changed images"

    @pytest.mark.usefixtures("champion")
    def test_without_the_old_snapshot_ids_are_compared(
        self, store: ArtifactStore, snapshot: SnapshotRef
    ) -> None:
        newer = build_snapshot(store, seed=4)
        store.remove_folder(f"datasets/{snapshot.id}")
        decision = _decide(store, newer)
        assert decision.retrain
        assert "no longer in the store" in decision.reasons[0]


class TestDriftCriterion:
    """A stored drift, as the decision shows it."""

    def _drift(
        self, store: ArtifactStore, champion: ModelRef, fired: bool, judged: bool = True
    ) -> DriftRef:
        measure = Measure(
            group="image",
            name="brightness",
            value=0.5 * fired,
            limit=0.2,
            p_value=0.0,
            fired=fired,
            observed="PSI",
            threshold="PSI above 0.2",
            text="darker",
            details={},
        )
        rows = [measure.model_dump()] if judged else []
        content = json.dumps({"measures": rows}).encode()
        return store.put(
            DriftRef,
            f"drift-{fired}-{judged}",
            {RESULT_FILE: content},
            {},
            champion_id=champion.id,
            num_images=300 if judged else 12,
            judged=judged,
            detected=fired,
            report_url="",
        )

    def _decide(
        self, store: ArtifactStore, snapshot: SnapshotRef, drift: DriftRef
    ) -> RetrainingDecision:
        config = RetrainingConfig(recent_images=("/recent",))
        return retraining_decision(store, snapshot, config, 0.0, drift)

    def test_drift_is_one_reason_and_every_measure_a_row(
        self, store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
    ) -> None:
        decision = self._decide(store, snapshot, self._drift(store, champion, fired=True))
        assert decision.retrain
        assert decision.reasons == (
            "300 recent images differ from the champion's data: brightness",
        )
        assert _criterion(decision, "drift: brightness").outcome == "retrain"
        assert decision.seed_shift > 0

    def test_without_drift_the_measures_are_shown_all_the_same(
        self, store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
    ) -> None:
        decision = self._decide(store, snapshot, self._drift(store, champion, fired=False))
        assert not decision.retrain
        assert _criterion(decision, "drift").observed == "0 of 1 measures"
        assert _criterion(decision, "drift: brightness").outcome == "no"

    def test_too_few_images_are_not_judged(
        self, store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
    ) -> None:
        drift = self._drift(store, champion, fired=False, judged=False)
        drifted = _criterion(self._decide(store, snapshot, drift), "drift")
        assert drifted.text == "not judged: 12 of 100 images"

    def test_the_drift_of_another_champion_is_not_judged(
        self, store: ArtifactStore, snapshot: SnapshotRef, champion: ModelRef
    ) -> None:
        drift = self._drift(store, champion, fired=True)
        other = drift.model_copy(update={"champion_id": "other-1"})
        decision = self._decide(store, snapshot, other)
        assert not decision.retrain
        assert "measured for other-1" in _criterion(decision, "drift").text
