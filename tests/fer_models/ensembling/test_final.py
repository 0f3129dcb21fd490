"""The final fit of an ensemble, and what everything else does with a final fit."""

from dataclasses import replace

import numpy as np
import pytest

from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.ensembling.final import write_final_ensemble
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import measure_model
from fer_models.evaluation.predictions import model_ref, networks_of, read_predictions
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit


def build_ensemble(store: ArtifactStore, snapshot: SnapshotRef) -> ModelRef:
    """A weighted ensemble of two networks."""
    models = [build_model(store, snapshot, f"net{n}", seed=n, skill=1.5) for n in (1, 2)]
    return ensemble_models(
        store, snapshot, models, EnsembleConfig(methods=("weighted",))
    ).ensembles[0]


def test_it_combines_the_final_fits_by_the_rule_of_the_ensemble(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    ensemble = build_ensemble(store, snapshot)
    networks = networks_of(store, ensemble)
    finals = [build_final_fit(store, network) for network in networks]
    final = write_final_ensemble(store, ensemble, finals[::-1])
    (before, _), (after, members) = (read_combination(store, one) for one in (ensemble, final))
    assert [member.model_id for member in members] == [one.id for one in finals]
    assert after == before
    opened = open_snapshot(store, snapshot)
    test = read_predictions(store, opened, final, ("test",))["test"].probs_NK
    parts = [read_predictions(store, opened, one, ("test",))["test"].probs_NK for one in finals]
    np.testing.assert_allclose(test, before.predict(np.stack(parts)), atol=1e-6)


def test_it_is_a_model_that_claims_nothing_about_validation_images(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    ensemble = build_ensemble(store, snapshot)
    finals = [build_final_fit(store, network) for network in networks_of(store, ensemble)]
    final = write_final_ensemble(store, ensemble, finals)
    info = store.info(final)
    assert final == model_ref(store, final.id)
    assert (final.name, final.kind) == (f"{ensemble.name}-final", "ensemble")
    assert info["final_fit_of"] == ensemble.id
    assert info["validation_accuracy"] is None
    assert store.read_json(final, "lineage.json")["final_fit_of"] == ensemble.id
    metrics = measure_model(store, open_snapshot(store, snapshot), final, EvaluationConfig())
    assert all(name.startswith("test") for name in metrics.splits)
    assert networks_of(store, final) == finals


def test_every_network_needs_its_final_fit(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    ensemble = build_ensemble(store, snapshot)
    finals = [build_final_fit(store, network) for network in networks_of(store, ensemble)]
    for wrong in (finals[:1], [finals[0], finals[0]]):
        with pytest.raises(DataError, match="expected a final fit of each of"):
            write_final_ensemble(store, ensemble, wrong)


def test_a_final_fit_can_be_no_member_of_a_new_ensemble(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store)
    models = [build_model(store, snapshot, f"net{n}", seed=n) for n in (1, 2)]
    final = build_final_fit(store, models[0])
    with pytest.raises(DataError, match=f"final fit of {models[0].id}"):
        ensemble_models(store, snapshot, [final, models[1]], EnsembleConfig())


def test_copies_of_validation_images_are_leaks_for_a_final_fit(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, num_leaks=3)
    opened = open_snapshot(store, snapshot)
    copied = opened.positions("test")[-1]
    manifest = opened.manifest.copy()
    source = opened.positions("validation")[0]
    manifest.loc[copied, "pixel_sha256"] = manifest["pixel_sha256"][source]
    with_copy = replace(opened, manifest=manifest)
    model = build_model(store, snapshot)
    final = build_final_fit(store, model)
    counts = [
        measure_model(store, with_copy, one, EvaluationConfig()).splits["test_without_leaks"].n
        for one in (model, final)
    ]
    assert counts[1] == counts[0] - 1


def test_a_final_fit_without_test_images_cannot_be_measured(store: ArtifactStore) -> None:
    snapshot = build_snapshot(store, fractions=(0.7, 0.3, 0.0))
    model = build_model(store, snapshot)
    final = build_final_fit(store, model)
    with pytest.raises(DataError, match=f"has no test images.*evaluate {model.id}"):
        measure_model(store, open_snapshot(store, snapshot), final, EvaluationConfig())
