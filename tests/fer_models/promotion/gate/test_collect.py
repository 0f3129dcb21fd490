"""The predictions that the gate judges by."""

import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.cross_fitted import CROSS_FITTED_FILE
from fer_models.evaluation.predictions import read_predictions
from fer_models.promotion.gate.collect import collect_evidence
from fer_models.storage.refs import ModelRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot


@pytest.fixture
def snapshot(store: ArtifactStore) -> DatasetSnapshot:
    return open_snapshot(store, build_snapshot(store))


@pytest.fixture
def stacking(store: ArtifactStore, snapshot: DatasetSnapshot) -> ModelRef:
    """An ensemble that looks much better on the validation images that it was fitted to."""
    models = [build_model(store, snapshot.ref, f"m{i}", 1.5, 10 * i) for i in range(4)]
    built = ensemble_models(store, snapshot.ref, models, EnsembleConfig(methods=("stacking",)))
    info = store.info(built.ensembles[0])
    assert info["validation_accuracy"] > info["cross_validated_accuracy"] + 0.05
    return built.ensembles[0]


def test_a_candidate_is_not_judged_on_images_that_its_rule_was_fitted_to(
    store: ArtifactStore, snapshot: DatasetSnapshot, stacking: ModelRef
) -> None:
    evidence = collect_evidence(store, snapshot, stacking, None)
    expected = store.info(stacking)["cross_validated_accuracy"]
    assert evidence.correct.mean() == pytest.approx(expected, abs=1e-6)


def test_nor_is_a_champion(
    store: ArtifactStore, snapshot: DatasetSnapshot, stacking: ModelRef
) -> None:
    entry = Registry(store).set(CHAMPION, stacking.id, "by hand")
    candidate = build_model(store, snapshot.ref, "candidate", 1.8, 90)
    champion = collect_evidence(store, snapshot, candidate, entry).champion
    assert champion is not None
    expected = store.info(stacking)["cross_validated_accuracy"]
    assert champion.correct_N.mean() == pytest.approx(expected, abs=1e-6)


def test_an_ensemble_of_an_earlier_version_is_judged_by_what_was_stored(
    store: ArtifactStore, snapshot: DatasetSnapshot, stacking: ModelRef
) -> None:
    files = dict(store.describe(stacking).files)
    del files[CROSS_FITTED_FILE]
    earlier = store.put(ModelRef, "earlier", {}, store.info(stacking), files, name="earlier")
    evidence = collect_evidence(store, snapshot, earlier, None)
    stored = read_predictions(store, snapshot, stacking)["validation"]
    assert (evidence.correct == stored.correct).all()
