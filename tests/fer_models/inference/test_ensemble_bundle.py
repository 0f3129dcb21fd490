"""Ensembles exported as weight bundles."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from fer_models.bundles.bundle import EnsembleBundle, load_any_bundle, load_bundle
from fer_models.bundles.facts import EnsembleFacts
from fer_models.bundles.speed import SPEEDS
from fer_models.combination.rules import MajorityRule, MeanRule, Rule, StackingRule
from fer_models.combination.stored import WEIGHTS_FILE
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import ConfigError, StoreError
from fer_models.inference.export import write_bundle
from fer_models.inference.export_onnx import write_onnx
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


@pytest.fixture
def pair(networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path) -> Path:
    """The metadata file of an exported ensemble of both networks, alone in its folder."""
    store, members = networks
    write_bundle(store, stored_ensemble(store, members, RULES[0]), tmp_path, name="pair")
    return tmp_path / "pair.json"


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


def test_a_network_loader_names_the_one_for_ensembles(pair: Path) -> None:
    with pytest.raises(StoreError, match="got an ensemble; use load_any_bundle"):
        load_bundle(pair)


def test_a_lost_member_and_other_classes_are_rejected(pair: Path) -> None:
    facts = json.loads(pair.read_text())
    pair.write_text(json.dumps(facts | {"members": facts["members"][:1]}))
    with pytest.raises(StoreError) as caught:
        load_any_bundle(pair)
    assert "expected 2 members, got 1" in caught.value.problems[0]
    facts["members"][1]["preprocessing"]["classes"] = sorted(CLASS_NAMES, reverse=True)
    pair.write_text(json.dumps(facts))
    with pytest.raises(StoreError, match="expected the same two or more classes"):
        load_any_bundle(pair)


def test_a_member_with_other_weights_is_not_exported(store: ArtifactStore, tmp_path: Path) -> None:
    network = stored_network(store)
    model = stored_ensemble(store, [network, network])
    description = store.local_root / "models" / network.id / "artifact.json"
    sha = store.describe(network).files[WEIGHTS_FILE].sha256
    description.write_text(description.read_text().replace(sha, "0" * 64))
    with pytest.raises(StoreError, match="not those that the ensemble was built from"):
        write_bundle(store, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_ensembles_and_bundles_say_that_they_are_calibrated(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    model = stored_ensemble(store, members, RULES[0], temperature=0.7)
    write_bundle(store, model, tmp_path, name="pair")
    names = (members[0].id, model.id, str(tmp_path / "pair.json"), "bundled:face_cnn")
    found = [open_model(name, store).is_calibrated for name in names]
    assert found == [False, True, True, True]


def test_each_network_has_a_file_of_weights(pair: Path, tmp_path: Path) -> None:
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["pair-1.safetensors", "pair-2.safetensors", "pair.json"]
    (tmp_path / "pair-2.safetensors").write_bytes((tmp_path / "pair-1.safetensors").read_bytes())
    with pytest.raises(StoreError, match=r"pair-2.safetensors: expected weights with the sha256"):
        load_any_bundle(pair)
    (tmp_path / "pair-2.safetensors").unlink()
    with pytest.raises(StoreError, match=r"pair-2.safetensors: can't read this file"):
        load_any_bundle(pair)


def test_weights_of_another_bundle_in_the_folder_are_shared(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    write_bundle(store, members[1], tmp_path, name="other")
    model = stored_ensemble(store, members, RULES[0])
    facts = write_bundle(store, model, tmp_path, name="pair")
    assert isinstance(facts, EnsembleFacts)
    names = [member.weights.name for member in facts.members]
    assert names == ["pair-1.safetensors", "other.safetensors"]
    assert not (tmp_path / "pair-2.safetensors").exists()
    images = random_images(20)
    expected = predict_model(store, model, images)
    np.testing.assert_allclose(
        load_any_bundle(tmp_path / "pair.json").predict(images), expected, atol=5e-3
    )


def test_an_ensemble_may_have_one_network_left(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    model = stored_ensemble(store, members[:1], MeanRule(weights=(1.0,)), temperature=0.7)
    write_bundle(store, model, tmp_path, name="single")
    assert (tmp_path / "single-1.safetensors").is_file()
    images = random_images(5)
    np.testing.assert_allclose(
        load_any_bundle(tmp_path / "single.json").predict(images),
        predict_model(store, model, images),
        atol=5e-3,
    )


def test_a_bundle_of_that_name_with_other_weights_stays(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    write_bundle(store, members[0], tmp_path, name="pair")
    before = (tmp_path / "pair.json").read_bytes()
    model = stored_ensemble(store, members, RULES[0])
    with pytest.raises(StoreError, match=r"pair\.json: a bundle of that name with other"):
        write_bundle(store, model, tmp_path, name="pair")
    assert (tmp_path / "pair.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pair.json", "pair.safetensors"]


def test_files_outside_the_folder_and_another_joint_sha256_are_refused(pair: Path) -> None:
    facts = json.loads(pair.read_text())
    pair.write_text(json.dumps(facts | {"weights_sha256": "0" * 64}))
    with pytest.raises(StoreError) as caught:
        load_any_bundle(pair)
    assert "that of the members' files" in caught.value.problems[0]
    facts["members"][0]["weights"]["name"] = "../pair-1.safetensors"
    pair.write_text(json.dumps(facts))
    with pytest.raises(StoreError) as caught:
        load_any_bundle(pair)
    assert "members.0.weights.name" in caught.value.problems[0]


def test_an_onnx_file_reads_the_weights_of_all_networks(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    write_bundle(store, stored_ensemble(store, members, RULES[0], 0.7), tmp_path, name="pair")
    name, images = str(tmp_path / "pair.json"), random_images(20)
    expected = open_model(name).predict(images)
    path, _ = write_onnx(name, tmp_path, with_weights=False)
    graph = onnx.load(str(path), load_external_data=False).graph
    places = [entry for one in graph.initializer for entry in one.external_data]
    read = {entry.value for entry in places if entry.key == "location"}
    assert read == {"pair-1.safetensors", "pair-2.safetensors"}
    np.testing.assert_allclose(open_model(name).predict(images), expected, atol=1e-4)
    (tmp_path / "pair-2.safetensors").unlink()
    with pytest.raises(StoreError, match=r"pair-2.safetensors: can't read"):
        open_model(name)


def test_networks_with_different_numbers_of_views_are_one_onnx_file(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, (first, _) = networks
    many = MemberConfig(name="many", network=NetworkConfig(width=0.5), tta="affine")
    model = stored_ensemble(store, [stored_network(store, 2, many), first], RULES[0])
    path, _ = write_onnx(model.id, tmp_path, store)
    images = random_images(5)
    for speed in SPEEDS:
        expected = open_model(model.id, store, speed).predict(images)
        found = open_model(str(path), speed=speed).predict(images)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_onnx_file_without_weights_needs_a_bundle(
    networks: tuple[ArtifactStore, list[ModelRef]], tmp_path: Path
) -> None:
    store, members = networks
    with pytest.raises(ConfigError, match="export the model as a bundle first"):
        write_onnx(members[0].id, tmp_path, store, with_weights=False)
