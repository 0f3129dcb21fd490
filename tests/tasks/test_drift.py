"""The drift task: when it measures, and what it hands on."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.promotion.config import RetrainingConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tasks.drift import drift, drift_of_predictions
from tasks.promote import decide_retraining
from tests.fer_models.builders import build_model, build_snapshot, draw_faces


@pytest.fixture
def config(tmp_path: Path) -> RetrainingConfig:
    folder = tmp_path / "recent"
    folder.mkdir()
    for row, face in enumerate(draw_faces(np.arange(5), 3)):
        Image.fromarray(face).save(folder / f"{row}.png")
    return RetrainingConfig(recent_images=(str(folder),))


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    return build_snapshot(store)


def test_nothing_is_measured_without_images_or_without_a_champion(
    store: ArtifactStore, snapshot: SnapshotRef, config: RetrainingConfig
) -> None:
    assert drift.fn(snapshot, config, 0, store.config) is None
    Registry(store).set(CHAMPION, build_model(store, snapshot).id, "by a test")
    assert drift.fn(snapshot, RetrainingConfig(), 0, store.config) is None


def test_nothing_is_measured_with_a_damaged_champion(
    store: ArtifactStore, snapshot: SnapshotRef, config: RetrainingConfig
) -> None:
    Registry(store).set(CHAMPION, "gone-1", "by a test")
    assert drift.fn(snapshot, config, 0, store.config) is None


def test_the_decision_takes_the_measurement(
    store: ArtifactStore, snapshot: SnapshotRef, config: RetrainingConfig
) -> None:
    Registry(store).set(CHAMPION, build_model(store, snapshot).id, "by a test")
    found = drift.fn(snapshot, config, 0, store.config)
    assert found is not None
    assert (found.judged, found.num_images) == (False, 5)
    decision = decide_retraining.fn(snapshot, config, store.config, found)
    assert not decision.retrain
    [criterion] = [one for one in decision.criteria if one.name == "drift"]
    assert criterion.text == "not judged: 5 of 100 images"


def test_without_any_prediction_the_drift_of_predictions_is_not_judged(
    store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    Registry(store).set(CHAMPION, build_model(store, snapshot).id, "by a test")
    watched = RetrainingConfig(recent_images=("predictions:7d",))
    found = drift.fn(snapshot, watched, 0, store.config)
    assert found is not None
    assert (found.judged, found.num_images) == (False, 0)


def test_predictions_of_another_model_are_no_reason_to_measure(
    store: ArtifactStore, snapshot: SnapshotRef, config: RetrainingConfig
) -> None:
    champion = build_model(store, snapshot)
    Registry(store).set(CHAMPION, champion.id, "by a test")
    assert drift_of_predictions.fn("bundled:face_cnn", config, 0, store.config) is None
    found = drift_of_predictions.fn(champion.id, config, 0, store.config)
    assert found is not None
    assert found.champion_id == champion.id
