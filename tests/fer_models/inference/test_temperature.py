"""Calibration of single networks: from a store, in bundles and in ONNX files."""

import json
import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnxruntime import InferenceSession

from fer_models.bundles.bundle import load_bundle
from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.speed import SPEEDS, Speed, views_at
from fer_models.dataset.snapshot import open_snapshot
from fer_models.evaluation.predictions import read_predictions
from fer_models.evaluation.temperature import (
    apply_temperature,
    fit_temperature,
    reliable_temperature,
)
from fer_models.inference.export import write_bundle
from fer_models.inference.export_onnx import write_onnx
from fer_models.inference.networks import load_bundled
from fer_models.inference.open_model import open_model
from fer_models.inference.temperature import stored_temperatures
from fer_models.onnx_files.facts import IMAGES, PROBABILITIES, VIEWS
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import TTA
from fer_models.training.inputs.tta import NUM_VIEWS
from fer_models.training.predict import load_network, predict_probabilities
from tests.fer_models.final_fits import build_final_fit
from tests.fer_models.inference.builders import MEMBER, imported_network, stored_network
from tests.fer_models.ingest.builders import random_images

AFFINE = MEMBER.model_copy(update={"tta": "affine"})


@pytest.fixture
def network(store: ArtifactStore) -> ModelRef:
    """A network with 18 views that is sometimes right, and enough validation images."""
    return stored_network(store, member=AFFINE, num_validation=119, has_learned=True)


def raw(store: ArtifactStore, model: ModelRef, tta: TTA, images: np.ndarray) -> np.ndarray:
    network, preprocessing = load_network(store, model)
    preprocessing["tta"] = tta
    return predict_probabilities(network, preprocessing, images)


def predictions(num: int, num_errors: int) -> tuple[np.ndarray, np.ndarray]:
    labels_N = np.zeros(num, dtype=np.int64)
    probs_NK = np.tile([0.9, 0.1], (num, 1))
    probs_NK[:num_errors] = [0.2, 0.8]
    return probs_NK, labels_N


@pytest.mark.parametrize(("num", "num_errors"), [(99, 20), (100, 9), (100, 0)])
def test_too_few_images_or_errors_calibrate_nothing(num: int, num_errors: int) -> None:
    assert reliable_temperature(*predictions(num, num_errors)) is None


def test_enough_images_and_errors_give_the_temperature_of_least_log_loss() -> None:
    found = predictions(100, 10)
    assert reliable_temperature(*found) == fit_temperature(*found)


def test_a_stored_network_predicts_at_the_temperature_of_its_own_views(
    store: ArtifactStore, network: ModelRef
) -> None:
    snapshot = open_snapshot(store, store.ref(SnapshotRef, store.info(network)["snapshot_id"]))
    validation = read_predictions(store, snapshot, network)["validation"]
    temperature = fit_temperature(validation.probs_NK, validation.labels)
    assert 0.5 < temperature < 0.9
    images = random_images(20)
    model = open_model(network.id, store, "best")
    assert (model.temperature, model.is_calibrated) == (temperature, True)
    expected = apply_temperature(raw(store, network, "affine", images), temperature)
    np.testing.assert_allclose(model.predict(images), expected, atol=1e-6)


def test_with_fewer_views_a_stored_network_is_not_calibrated(
    store: ArtifactStore, network: ModelRef
) -> None:
    images = random_images(20)
    for speed, tta in (("fast", "none"), ("balanced", "flip")):
        model = open_model(network.id, store, speed)  # type: ignore[arg-type]
        assert not model.is_calibrated
        expected = raw(store, network, tta, images)  # type: ignore[arg-type]
        np.testing.assert_array_equal(model.predict(images), expected)


def test_an_imported_network_has_the_temperatures_of_the_images_of_its_store(
    store: ArtifactStore, network: ModelRef
) -> None:
    model = imported_network(store, network)
    facts = store.info(model)["temperatures"]
    assert set(facts) == {"1", "2", "18"}
    shutil.rmtree(store.local_root / "datasets")
    for speed, views in zip(SPEEDS, ("1", "2", "18"), strict=True):
        assert open_model(model.id, store, speed).temperature == facts[views]


def test_a_network_whose_images_were_deleted_is_not_calibrated(
    store: ArtifactStore, network: ModelRef
) -> None:
    assert list(stored_temperatures(store, network)) == [NUM_VIEWS["affine"]]
    shutil.rmtree(store.local_root / "datasets")
    assert stored_temperatures(store, network) == {}
    assert not open_model(network.id, store, "best").is_calibrated


def test_a_final_fit_has_the_temperature_of_the_model_that_it_repeats(
    store: ArtifactStore, network: ModelRef
) -> None:
    other = stored_network(store, seed=1, member=AFFINE, num_validation=119)
    final = build_final_fit(store, network, network=other)
    assert stored_temperatures(store, final) == stored_temperatures(store, network)
    exported, before = (
        write_bundle(store, model, store.local_root / "out", name=name)
        for model, name in ((final, "final"), (network, "before"))
    )
    assert isinstance(exported, BundleFacts)
    assert isinstance(before, BundleFacts)
    assert exported.temperatures == before.temperatures
    assert len(exported.temperatures) == 3


def test_a_final_fit_of_a_deleted_model_is_not_calibrated_on_test_images(
    store: ArtifactStore,
) -> None:
    model = stored_network(store, num_validation=119)
    final = build_final_fit(store, model)
    (store.local_root / "models" / model.id / "artifact.json").unlink()
    facts = write_bundle(store, final, store.local_root / "out")
    assert isinstance(facts, BundleFacts)
    assert facts.temperatures == {}


def test_a_bundle_has_a_temperature_for_every_speed(
    store: ArtifactStore, network: ModelRef
) -> None:
    facts = write_bundle(store, network, store.local_root / "out", name="sure")
    assert isinstance(facts, BundleFacts)
    snapshot = open_snapshot(store, store.ref(SnapshotRef, store.info(network)["snapshot_id"]))
    positions = snapshot.positions("validation")
    images, labels = np.asarray(snapshot.images[positions]), snapshot.labels(positions)
    views_of: dict[Speed, TTA] = {"fast": "none", "balanced": "flip", "best": "affine"}
    for speed, tta in views_of.items():
        expected = fit_temperature(raw(store, network, tta, images), labels)
        assert facts.speeds[speed].temperature == pytest.approx(expected, rel=0.01)
    assert len(set(facts.temperatures.values())) == 3


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_bundle_and_its_onnx_file_predict_at_the_temperature_of_the_speed(
    store: ArtifactStore, network: ModelRef, speed: Speed
) -> None:
    folder = store.local_root / "out"
    facts = write_bundle(store, network, folder, name="sure")
    assert isinstance(facts, BundleFacts)
    bundle, images = str(folder / "sure.json"), random_images(20)
    views = views_at(speed, NUM_VIEWS["affine"])
    loaded = load_bundled(bundle).at_speed(speed)
    assert loaded.temperature == facts.temperatures[views]
    tta: TTA = {1: "none", 2: "flip", 18: "affine"}[views]  # type: ignore[assignment]
    plain = predict_probabilities(loaded.parts[0].network, loaded.parts[0].preprocessing, images)
    assert loaded.parts[0].tta == tta
    expected = apply_temperature(plain, facts.temperatures[views])
    np.testing.assert_allclose(loaded.predict(images), expected, atol=1e-6)
    path, _ = write_onnx(bundle, folder, with_weights=False)
    for name in (bundle, str(path)):  # the bundle is now read through the ONNX file beside it
        model = open_model(name, speed=speed)
        assert model.temperature == facts.temperatures[views]
        np.testing.assert_allclose(model.predict(images), expected, atol=1e-4)


def test_load_bundle_predicts_at_the_temperature_of_its_own_views(
    store: ArtifactStore, network: ModelRef
) -> None:
    folder = store.local_root / "out"
    write_bundle(store, network, folder, name="sure")
    images = random_images(20)
    expected = open_model(str(folder / "sure.json"), speed="best").predict(images)
    found = load_bundle(folder / "sure.json").predict(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_an_onnx_file_beside_a_bundle_with_other_temperatures_is_not_used(
    store: ArtifactStore, network: ModelRef
) -> None:
    folder = store.local_root / "out"
    write_bundle(store, network, folder, name="sure")
    write_onnx(str(folder / "sure.json"), folder, with_weights=False)
    file = folder / "sure.json"
    facts = json.loads(file.read_text())
    facts["speeds"]["balanced"]["temperature"] = 1.0
    file.write_text(json.dumps(facts))
    model, images = open_model(str(file)), random_images(8)
    assert model.temperature == 1.0
    plain = load_bundled(str(file)).with_tta("flip")
    np.testing.assert_allclose(model.predict(images), plain.predict(images), atol=1e-6)


def test_more_or_fewer_views_than_possible_are_those_that_the_file_has(
    store: ArtifactStore, network: ModelRef
) -> None:
    path, facts = write_onnx(network.id, store.local_root / "out", store)
    images = random_images(4)[..., None]
    session = InferenceSession(str(path))

    def run(views: int) -> np.ndarray:
        feeds = {IMAGES: images, VIEWS: np.array([views], dtype=np.int64)}
        return np.asarray(session.run([PROBABILITIES], feeds)[0])

    assert list(facts.temperatures) == [18]
    np.testing.assert_array_equal(run(18), run(99))
    for too_few in (0, -1):
        np.testing.assert_array_equal(run(too_few), run(1))
    np.testing.assert_allclose(run(2), raw(store, network, "flip", images[..., 0]), atol=1e-5)


def test_a_network_without_a_temperature_has_no_such_node(store: ArtifactStore) -> None:
    model = stored_network(store)
    path, facts = write_onnx(model.id, store.local_root / "out", store)
    assert facts.temperatures == {}
    graph = onnx.load(str(path)).graph
    assert "Where" not in {node.op_type for node in graph.node}
    assert numpy_helper.to_array(next(o for o in graph.initializer if o.name == VIEWS)) == [1]
