"""Bundles imported into a store."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.bundles.bundle import load_any_bundle, load_bundle
from fer_models.combination.rules import MeanRule
from fer_models.combination.stored import read_combination
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import DataError, StoreError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.predictions import IMPORTED, networks_of, read_predictions
from fer_models.inference.export import write_bundle
from fer_models.inference.import_bundle import import_bundle
from fer_models.reporting.model_card.card import model_card
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.reporting.model_card.facts import card_facts
from fer_models.reporting.model_card.markdown import markdown
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import MEMBER, stored_ensemble, stored_network
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.own_classes import OWN, own_snapshot
from tests.fer_models.training.faces import write_faces


@pytest.fixture
def snapshot(store: ArtifactStore) -> SnapshotRef:
    """Other faces than those that the network was trained on."""
    return write_faces(store, seed=3)


def test_an_imported_network_predicts_the_held_out_images(
    exported: Exported, store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    name = str(exported.folder / "small.json")
    model = import_bundle(store, name, snapshot)
    opened, bundle = open_snapshot(store, snapshot), load_bundle(name)
    stored = read_predictions(store, opened, model)
    for split in ("validation", "test"):
        expected = bundle.predict(opened.images[opened.positions(split)])
        np.testing.assert_allclose(stored[split].probs_NK, expected, atol=1e-6)
    info = store.info(model)
    assert info["validation_accuracy"] == pytest.approx(stored["validation"].correct.mean())
    assert info["snapshot_id"] == snapshot.id
    lineage = store.read_json(model, "lineage.json")
    assert lineage[IMPORTED]["weights_sha256"] == exported.facts.weights_sha256
    assert lineage["dataset_sha"] == exported.facts.snapshot_id != snapshot.id
    assert lineage["platform"] == "a computer"
    assert write_bundle(store, model, tmp_path).weights_sha256 == exported.facts.weights_sha256


def test_a_final_fit_is_refused_because_it_knows_validation_images(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    model = stored_network(store)
    write_bundle(store, build_final_fit(store, model), tmp_path, name="final")
    before = store.list_ids(ModelRef)
    with pytest.raises(DataError, match=f"final is a final fit.* import the bundle of {model.id}"):
        import_bundle(store, str(tmp_path / "final.json"), snapshot)
    assert store.list_ids(ModelRef) == before


def test_the_card_says_that_the_training_data_is_not_that_of_the_figures(
    exported: Exported, store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    model = import_bundle(store, str(exported.folder / "small.json"), snapshot)
    text = markdown(model_card(card_facts(store, model, EvaluationConfig()), ModelCardConfig()))
    assert "Training: seed 0, 2 s on a computer" in text
    assert "Imported from the bundle small of" in text
    assert f"Dataset snapshot: {exported.facts.snapshot_id}, not the one of the figures" in text
    assert "The model was trained elsewhere" in text


def test_the_training_data_of_a_bundle_may_be_that_of_the_store(
    store: ArtifactStore, tmp_path: Path
) -> None:
    facts = write_bundle(store, stored_network(store), tmp_path, name="own")
    snapshot = store.ref(SnapshotRef, facts.snapshot_id)
    model = import_bundle(store, str(tmp_path / "own.json"), snapshot)
    assert not card_facts(store, model, EvaluationConfig()).imported


def test_importing_again_gives_the_same_model(
    exported: Exported, store: ArtifactStore, snapshot: SnapshotRef
) -> None:
    name = str(exported.folder / "small.json")
    assert import_bundle(store, name, snapshot) == import_bundle(store, name, snapshot)


def test_an_imported_ensemble_predicts_as_its_bundle_does(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    second = MEMBER.model_copy(update={"name": "second"})
    networks = [stored_network(store), stored_network(store, seed=7, member=second)]
    rule = MeanRule(weights=(0.7, 0.3))
    pair = stored_ensemble(store, networks, rule, temperature=0.8)
    facts = write_bundle(store, pair, tmp_path, name="pair")
    bundle = load_any_bundle(tmp_path / "pair.json")

    model = import_bundle(store, str(tmp_path / "pair.json"), snapshot)

    opened = open_snapshot(store, snapshot)
    stored = read_predictions(store, opened, model)
    for split in ("validation", "test"):
        expected = bundle.predict(opened.images[opened.positions(split)])
        np.testing.assert_allclose(stored[split].probs_NK, expected, atol=1e-6)
    info, theirs = store.info(model), networks_of(store, model)
    assert (model.name, model.kind, info["kind"]) == ("pair", "ensemble", "ensemble")
    assert info["validation_accuracy"] == pytest.approx(stored["validation"].correct.mean())
    assert [one.name for one in theirs] == ["small", "second"]
    assert [store.info(one)["seed"] for one in theirs] == [0, 7]
    assert [store.info(one)["train_seconds"] for one in theirs] == [1.5, 1.5]
    combination, _ = read_combination(store, model)
    assert (combination.rule, combination.temperature) == (rule, 0.8)
    assert store.read_json(model, "lineage.json")[IMPORTED]["name"] == "pair"
    assert store.read_json(theirs[1], "lineage.json")[IMPORTED]["name"] == "pair"
    assert write_bundle(store, model, tmp_path / "again").weights_sha256 == facts.weights_sha256
    assert import_bundle(store, str(tmp_path / "pair.json"), snapshot) == model


def test_a_network_is_the_same_by_its_own_bundle_and_by_that_of_an_ensemble(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    network = stored_network(store)
    write_bundle(store, network, tmp_path, name="small")
    write_bundle(store, stored_ensemble(store, [network]), tmp_path, name="alone")
    alone = import_bundle(store, str(tmp_path / "alone.json"), snapshot)
    single = import_bundle(store, str(tmp_path / "small.json"), snapshot)
    assert networks_of(store, alone) == [single]


def test_the_card_of_an_imported_ensemble_says_where_it_was_trained(
    store: ArtifactStore, snapshot: SnapshotRef, tmp_path: Path
) -> None:
    write_bundle(store, stored_ensemble(store, [stored_network(store)]), tmp_path, name="alone")
    model = import_bundle(store, str(tmp_path / "alone.json"), snapshot)
    text = markdown(model_card(card_facts(store, model, EvaluationConfig()), ModelCardConfig()))
    assert "Architecture: ensemble of compact_cnn" in text
    assert "Imported from the bundle alone of" in text
    assert "The model was trained elsewhere" in text


def test_all_that_does_not_fit_is_reported_together(
    exported: Exported, store: ArtifactStore
) -> None:
    unsplit = own_snapshot(store, OWN, per_class=2)
    with pytest.raises(DataError) as caught:
        import_bundle(store, str(exported.folder / "small.json"), unsplit)
    problems = caught.value.problems
    assert len(problems) == 2
    assert problems[0].startswith("classes: expected angry, disgust")
    assert problems[0].endswith("got happy, sad, bored, very bored")
    assert "ferflow task split" in problems[1]


def test_what_is_no_bundle_is_refused(store: ArtifactStore, snapshot: SnapshotRef) -> None:
    with pytest.raises(StoreError, match="expected a bundle: bundled, bundled:NAME"):
        import_bundle(store, "face_cnn", snapshot)
