"""The final fit of an ensemble or an average, and what everything else does with a final fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import open_snapshot
from fer_models.ensembling.averaging import average_networks
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.ensembling.final import networks_to_repeat, write_final
from fer_models.errors import ConfigError, DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import measure_model
from fer_models.evaluation.predictions import model_ref, networks_of, read_predictions
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.predict import load_network
from tests.fer_models.builders import build_model, build_snapshot
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import imported_network, stored_ensemble, stored_network


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
    final = write_final(store, ensemble, finals[::-1])
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
    final = write_final(store, ensemble, finals)
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
            write_final(store, ensemble, wrong)


@pytest.fixture
def networks(store: ArtifactStore) -> list[ModelRef]:
    return [stored_network(store, seed) for seed in range(4)]


def test_the_final_fit_of_an_average_is_the_mean_of_the_final_fits(
    store: ArtifactStore, networks: list[ModelRef]
) -> None:
    first, second, other, another = networks
    average = average_networks(store, [first, second], name="soup")
    assert networks_to_repeat(store, average) == [first, second]
    finals = [
        build_final_fit(store, base, network=network)
        for base, network in ((first, other), (second, another))
    ]
    final = write_final(store, average, finals[::-1])
    assert (final.name, store.info(final)["final_fit_of"]) == ("soup-final", average.id)
    mean = load_network(store, average_networks(store, [other, another]))[0].state_dict()
    for key, value in load_network(store, final)[0].state_dict().items():
        assert torch.equal(value, mean[key])


def test_an_imported_network_stays_as_it_is(store: ArtifactStore, networks: list[ModelRef]) -> None:
    imported = imported_network(store, networks[0])
    average = average_networks(store, [imported, networks[1]], name="soup")
    ensemble = stored_ensemble(store, [average, imported, networks[1], networks[2]])
    repeated = networks_to_repeat(store, ensemble)
    assert repeated == networks[1:3]  # each once, though one is in the average, too
    finals = [build_final_fit(store, network) for network in repeated]
    final = write_final(store, ensemble, finals)
    soup, *others = networks_of(store, final)
    assert others == [imported, *finals]
    assert store.info(soup)["final_fit_of"] == average.id
    assert store.read_json(soup, "lineage.json")["averaged"] == [imported.id, finals[0].id]
    assert store.info(final)["final_fit_of"] == ensemble.id
    assert read_combination(store, final)[0] == read_combination(store, ensemble)[0]


def test_a_single_network_has_its_one_final_fit(
    store: ArtifactStore, networks: list[ModelRef]
) -> None:
    assert networks_to_repeat(store, networks[0]) == networks[:1]
    final = build_final_fit(store, networks[0])
    assert write_final(store, networks[0], [final]) == final


def test_what_was_imported_or_is_a_final_fit_has_none(
    store: ArtifactStore, networks: list[ModelRef]
) -> None:
    imported = [imported_network(store, network) for network in networks[:2]]
    for model in (*imported, stored_ensemble(store, imported), average_networks(store, imported)):
        with pytest.raises(ConfigError, match=f"{model.id} was imported, so there is no training"):
            networks_to_repeat(store, model)
    final = build_final_fit(store, networks[0])
    with pytest.raises(ConfigError, match=f"is the final fit of {networks[0].id}"):
        write_final(store, final, [])


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
