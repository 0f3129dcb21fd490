"""Drift on synthetic faces: changed images fire, fresh ones of the same generator don't."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fer_models.drift.config import DriftConfig
from fer_models.drift.measure import drift_ref, measure_drift
from fer_models.drift.results import read_measures
from fer_models.errors import DataError
from fer_models.storage.refs import DriftRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_snapshot
from tests.fer_models.drift.conftest import draw, recent_of
from tests.fer_models.final_fits import build_final_fit

CONFIG = DriftConfig()


@pytest.fixture
def measure(drift_store: ArtifactStore, trained: ModelRef, training: SnapshotRef) -> Any:
    def run(images: np.ndarray, config: DriftConfig = CONFIG) -> DriftRef:
        return measure_drift(drift_store, trained, training, recent_of(images), config, 0)

    return run


def _fired(store: ArtifactStore, drift: DriftRef) -> set[str]:
    return {measure.name for measure in read_measures(store, drift) if measure.fired}


def test_fresh_faces_are_no_drift(
    drift_store: ArtifactStore, measure: Any, fresh: np.ndarray
) -> None:
    drift = measure(fresh)
    assert drift.judged
    assert not drift.detected
    assert _fired(drift_store, drift) == set()
    assert len(read_measures(drift_store, drift)) == 8


@pytest.mark.slow
def test_fresh_faces_rarely_fire(drift_store: ArtifactStore, measure: Any) -> None:
    # All of them are compared with one validation split, whose own chance they share.
    drifts = [measure(draw(np.arange(300) % 7, seed)) for seed in range(10, 30)]
    fired = [name for drift in drifts for name in _fired(drift_store, drift)]
    assert sum(drift.detected for drift in drifts) <= 2, fired


def test_dark_faces_are_drift(drift_store: ArtifactStore, measure: Any, fresh: np.ndarray) -> None:
    drift = measure((fresh * 0.5).astype(np.uint8))
    assert drift.detected
    assert {"brightness", "embedding"} <= _fired(drift_store, drift)


def test_blurred_faces_are_drift(
    drift_store: ArtifactStore, measure: Any, fresh: np.ndarray
) -> None:
    drift = measure(gaussian_filter(fresh, (0, 1.5, 1.5)))
    assert drift.detected
    assert "sharpness" in _fired(drift_store, drift)
    assert "brightness" not in _fired(drift_store, drift)


def test_another_mix_of_classes_is_drift(drift_store: ArtifactStore, measure: Any) -> None:
    happy = draw(np.where(np.arange(300) % 7 == 0, 6, 3), 5)
    drift = measure(happy)
    assert drift.detected
    assert "predicted classes" in _fired(drift_store, drift)
    estimates = [m for m in read_measures(drift_store, drift) if m.group == "accuracy"]
    assert len(estimates) == 2
    assert all(m.value == m.details["validation"] - m.details["estimate"] for m in estimates)


def test_too_few_images_are_not_judged(
    drift_store: ArtifactStore, measure: Any, fresh: np.ndarray
) -> None:
    drift = measure(np.zeros_like(fresh[:12]) + np.arange(12, dtype=np.uint8)[:, None, None])
    assert not drift.judged
    assert not drift.detected
    assert read_measures(drift_store, drift) == []
    page = drift_store.read_file(drift, "report.html").decode()
    assert "Not judged: 12 of 100 images" in page


def test_the_artifact_is_addressed_by_its_inputs(
    drift_store: ArtifactStore, measure: Any, fresh: np.ndarray
) -> None:
    first = measure(fresh)
    before = (drift_store.local_root / "drifts" / first.id / "artifact.json").stat().st_mtime_ns
    assert measure(fresh) == first == drift_ref(drift_store, first.id)
    after = (drift_store.local_root / "drifts" / first.id / "artifact.json").stat().st_mtime_ns
    assert before == after
    assert measure(fresh[:-1]).id != first.id
    assert measure(fresh, DriftConfig(max_psi=0.3)).id != first.id


def test_the_page_shows_measures_figures_and_the_furthest_faces(
    drift_store: ArtifactStore, measure: Any, fresh: np.ndarray
) -> None:
    strange = fresh.copy()
    strange[17] = np.where(np.arange(48) % 16 < 8, 0, 255)
    drift = measure(strange)
    page = drift_store.read_file(drift, "report.html").decode()
    assert page.count("<svg") == 3
    for measure_row in read_measures(drift_store, drift):
        assert f"<b>{measure_row.name}</b>" in page
    assert page.count('src="data:image/png') == 20
    assert 'title="face-17"' in page
    assert drift.report_url.endswith(f"drifts/{drift.id}/report.html")


def test_another_snapshot_is_rejected(
    drift_store: ArtifactStore, trained: ModelRef, fresh: np.ndarray
) -> None:
    other = build_snapshot(drift_store)
    with pytest.raises(DataError, match="trained on another snapshot"):
        measure_drift(drift_store, trained, other, recent_of(fresh), CONFIG, 0)


def test_an_ensemble_is_embedded_by_its_largest_member(
    drift_store: ArtifactStore, trained: ModelRef, training: SnapshotRef, fresh: np.ndarray
) -> None:
    from fer_models.drift.embedding import largest_network
    from tests.fer_models.builders import build_model

    small = build_model(drift_store, training, "tiny", parameters=10)
    members = [{"model_id": ref.id, "name": ref.name} for ref in (small, trained)]
    import json

    ensemble = drift_store.put(
        ModelRef,
        "soft_vote-1",
        {"members.json": json.dumps(members).encode()},
        {"kind": "ensemble"},
        name="soft_vote",
        kind="ensemble",
    )
    assert largest_network(drift_store, ensemble).id == trained.id
    assert largest_network(drift_store, trained) == trained


def test_a_final_fit_is_measured_by_the_model_that_it_repeats(
    drift_store: ArtifactStore,
    trained: ModelRef,
    training: SnapshotRef,
    measure: Any,
    fresh: np.ndarray,
) -> None:
    """The final fit has learned from the images that recent ones are compared with."""
    final = build_final_fit(drift_store, trained)
    drift = measure_drift(drift_store, final, training, recent_of(fresh), CONFIG, 0)
    assert drift.champion_id == final.id
    assert read_measures(drift_store, drift) == read_measures(drift_store, measure(fresh))
