"""Ensembles exported as weight bundles."""

import json
from pathlib import Path

import numpy as np
import pytest

from fer_models.bundles.bundle import EnsembleBundle, load_any_bundle, load_bundle
from fer_models.combination.rules import MajorityRule, MeanRule, Rule, StackingRule
from fer_models.combination.stored import WEIGHTS_FILE
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import StoreError
from fer_models.inference.export import write_bundle
from fer_models.inference.open_model import open_model
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.data import split_images
from fer_models.training.predict import predict_model
from tests.fer_models.inference.builders import stored_ensemble, stored_network
from tests.fer_models.ingest.builders import random_images

_COEFFICIENTS = np.random.default_rng(0).normal(0, 0.2, size=(7, 2, 7)).round(4)
RULES: tuple[Rule, ...] = (
    MeanRule(weights=(0.3, 0.7)),
    MajorityRule(num_members=2),
    StackingRule(coefficients=_COEFFICIENTS.tolist(), intercepts=(0.1,) * 7),
)


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[ArtifactStore, list[ModelRef]]:
    """A store with two different networks; the tests only add to it."""
    store = ArtifactStore(StoreConfig(url=str(tmp_path_factory.mktemp("ensembles"))))
    other = MemberConfig(name="other", network=NetworkConfig(width=0.5), tta="flip")
    return store, [stored_network(store), stored_network(store, 1, other)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_the_bundle_predicts_what_the_stored_ensemble_does(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path, rule: Rule
) -> None:
    store, members = networks
    model = stored_ensemble(store, members, rule, temperature=0.7)
    facts = write_bundle(store, model, tmp_path, name="pair")
    bundle = load_any_bundle(tmp_path / "pair.json")
    assert bundle.facts == facts
    images = random_images(40)
    np.testing.assert_allclose(
        bundle.predict(images), predict_model(store, model, images), atol=5e-3
    )


def test_members_keep_their_settings_and_accuracy_is_that_of_the_ensemble(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    model = stored_ensemble(store, members, RULES[0], temperature=0.7)
    write_bundle(store, model, tmp_path, name="pair", tta="flip")
    bundle = load_any_bundle(tmp_path / "pair.safetensors")
    assert isinstance(bundle, EnsembleBundle)
    assert [m.model_id for m in bundle.facts.members] == [m.id for m in members]
    assert [m.member.name for m in bundle.facts.members] == ["small", "other"]
    assert [preprocessing["tta"] for _, preprocessing in bundle.members] == ["flip", "flip"]
    assert bundle.facts.classes == bundle.preprocessing["classes"] == list(CLASS_NAMES)
    snapshot = open_snapshot(store, SnapshotRef(id=bundle.facts.snapshot_id, url=""))
    part = split_images(snapshot, "validation")
    right = bundle.predict(part.images).argmax(1) == part.labels
    assert bundle.facts.accuracy["validation"].accuracy == pytest.approx(right.mean())
    assert bundle.facts.accuracy["validation"].n == len(part)


def test_a_network_loader_names_the_one_for_ensembles(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    write_bundle(store, stored_ensemble(store, members, RULES[0]), tmp_path, name="pair")
    with pytest.raises(StoreError, match="got an ensemble; use load_any_bundle"):
        load_bundle(tmp_path / "pair.json")


def test_a_lost_member_and_other_classes_are_rejected(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    write_bundle(store, stored_ensemble(store, members, RULES[0]), tmp_path, name="pair")
    file = tmp_path / "pair.json"
    facts = json.loads(file.read_text())
    file.write_text(json.dumps(facts | {"members": facts["members"][:1]}))
    with pytest.raises(StoreError) as caught:
        load_any_bundle(file)
    assert "expected 2 members, got 1" in caught.value.problems[0]
    facts["members"][1]["preprocessing"]["classes"] = sorted(CLASS_NAMES, reverse=True)
    file.write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="expected the same two or more classes"):
        load_any_bundle(file)


def test_a_member_with_other_weights_is_not_exported(store: ArtifactStore, tmp_path: Path) -> None:
    network = stored_network(store)
    model = stored_ensemble(store, [network, network])
    description = store.local_root / "models" / network.id / "artifact.json"
    sha = store.describe(network).files[WEIGHTS_FILE].sha256
    description.write_text(description.read_text().replace(sha, "0" * 64))
    with pytest.raises(StoreError, match="not those that the ensemble was built from"):
        write_bundle(store, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_an_ensembles_probabilities_are_calibrated(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    model = stored_ensemble(store, members, RULES[0], temperature=0.7)
    write_bundle(store, model, tmp_path, name="pair")
    names = (members[0].id, model.id, str(tmp_path / "pair.json"), "bundled:face_cnn")
    found = [open_model(name, store).is_calibrated for name in names]
    assert found == [False, True, True, False]
