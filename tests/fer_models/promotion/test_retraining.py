"""The decision to retrain."""

import pytest

from fer_models.promotion.config import RetrainingConfig
from fer_models.promotion.promote import retraining_decision
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_snapshot

DAY_S = 86_400


def test_without_a_champion_one_is_trained(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    decision = retraining_decision(store, snapshot, RetrainingConfig(), 0.0)
    assert decision.retrain
    assert decision.reasons == ("there is no champion yet",)


@pytest.mark.usefixtures("champion")
def test_a_young_champion_of_the_same_data_is_kept(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    now = Registry(store).current(CHAMPION).time_s + 3 * DAY_S
    decision = retraining_decision(store, snapshot, RetrainingConfig(), now)
    assert not decision.retrain
    assert decision.reasons == ()


@pytest.mark.usefixtures("champion")
def test_age_new_data_and_force_are_reported_together(store: ArtifactStore) -> None:
    now = Registry(store).current(CHAMPION).time_s + 31 * DAY_S
    newer = build_snapshot(store, seed=4)
    decision = retraining_decision(store, newer, RetrainingConfig(force=True), now)
    assert decision.retrain
    force, age, data = decision.reasons
    assert "force" in force
    assert "31.0 days old, more than 30" in age
    assert newer.id[:12] in data


@pytest.mark.usefixtures("champion")
def test_new_data_can_be_ignored(store: ArtifactStore) -> None:
    now = Registry(store).current(CHAMPION).time_s
    config = RetrainingConfig(on_new_data=False)
    assert not retraining_decision(store, build_snapshot(store, seed=4), config, now).retrain


def test_a_champion_whose_artifact_is_missing_is_retrained(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    Registry(store).set(CHAMPION, "gone-123", "by hand")
    now = Registry(store).current(CHAMPION).time_s
    decision = retraining_decision(store, snapshot, RetrainingConfig(), now)
    assert decision.retrain
    assert "gone-123 is missing from the store" in decision.reasons[0]
