"""What ensembles are compared by on the images that their rules were fitted to."""

import numpy as np
import pytest

from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.errors import DataError
from fer_models.evaluation.cross_fitted import (
    CROSS_FITTED_FILE,
    cross_fitted_bytes,
    read_comparable,
)
from fer_models.evaluation.predictions import read_predictions
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.ensembling.test_out_of_fold import CONFIG, members

SPLITS = ("validation", "test")


@pytest.fixture
def snapshot(store: ArtifactStore) -> DatasetSnapshot:
    return open_snapshot(store, build_snapshot(store))


def _ensembles(store: ArtifactStore, snapshot: DatasetSnapshot) -> dict[str, ModelRef]:
    models = [build_model(store, snapshot.ref, f"m{i}", 1.5, 10 * i) for i in range(4)]
    built = ensemble_models(store, snapshot.ref, models, EnsembleConfig())
    return {model.name.removeprefix("ensemble-"): model for model in built.ensembles}


def test_a_fitted_ensemble_is_compared_by_predictions_of_rules_without_the_image(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    ensembles = _ensembles(store, snapshot)
    for method in ("weighted", "greedy", "stacking"):
        found = read_comparable(store, snapshot, ensembles[method], SPLITS)
        stored = read_predictions(store, snapshot, ensembles[method])
        cross_validated = store.info(ensembles[method])["cross_validated_accuracy"]
        assert found["validation"].correct.mean() == pytest.approx(cross_validated, abs=1e-6)
        assert (found["validation"].probs_NK != stored["validation"].probs_NK).any()
        np.testing.assert_array_equal(found["test"].probs_NK, stored["test"].probs_NK)
    stacking = read_predictions(store, snapshot, ensembles["stacking"])["validation"]
    honest = read_comparable(store, snapshot, ensembles["stacking"], SPLITS)["validation"]
    assert stacking.correct.mean() > honest.correct.mean()


def test_votes_and_rules_fitted_out_of_fold_are_compared_as_they_are_stored(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    ensembles = _ensembles(store, snapshot)
    out_of_fold = ensemble_models(store, snapshot.ref, members(store, snapshot.ref), CONFIG)
    unfitted = [ensembles["soft_vote"], ensembles["majority_vote"], *out_of_fold.ensembles]
    for model in unfitted:
        assert CROSS_FITTED_FILE not in store.describe(model).files
        found = read_comparable(store, snapshot, model, SPLITS)["validation"]
        stored = read_predictions(store, snapshot, model)["validation"]
        np.testing.assert_array_equal(found.probs_NK, stored.probs_NK)


def test_cross_fitted_predictions_of_other_images_are_rejected(
    store: ArtifactStore, snapshot: DatasetSnapshot
) -> None:
    model = build_model(store, snapshot.ref)
    wrong = store.put(
        ModelRef,
        "wrong",
        {CROSS_FITTED_FILE: cross_fitted_bytes(np.full((3, 7), 1 / 7))},
        store.info(model),
        store.describe(model).files,
        name="wrong",
    )
    with pytest.raises(DataError, match="build the ensemble again"):
        read_comparable(store, snapshot, wrong, SPLITS)
