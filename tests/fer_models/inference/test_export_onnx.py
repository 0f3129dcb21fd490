"""Export of networks and ensembles as ONNX files, compared with torch."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from PIL import Image

import fer_models
from fer_models.combination.rules import MajorityRule
from fer_models.errors import ConfigError, DataError
from fer_models.inference.export_onnx import calibration_images, write_onnx
from fer_models.inference.networks import load_bundled
from fer_models.inference.open_model import open_model
from fer_models.models.config import NetworkConfig
from fer_models.onnx_files.facts import OnnxFacts
from fer_models.onnx_files.session import open_onnx
from fer_models.progress import Progress, listening
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.predict import load_network, predict_model, predict_probabilities
from tests.fer_models.inference.builders import stored_ensemble, stored_network
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images

WEIGHTS = Path(fer_models.__file__).parent / "weights"


def test_a_stored_network_predicts_the_same_as_an_onnx_file(
    exported: Exported, tmp_path: Path
) -> None:
    path, facts = write_onnx(exported.model.id, tmp_path, exported.store, name="small", tta="flip")
    images = random_images(20)
    network, preprocessing = load_network(exported.store, exported.model)
    preprocessing["tta"] = "flip"
    expected = predict_probabilities(network, preprocessing, images)
    model = open_model(str(path))
    np.testing.assert_allclose(model.predict(images), expected, atol=1e-5)
    assert list(model.classes) == preprocessing["classes"]
    assert (facts.views, facts.accuracy) == (2, {})


@pytest.mark.parametrize("size_px", [64, 97])
def test_dlibs_network_predicts_the_same_as_an_onnx_file(
    store: ArtifactStore, tmp_path: Path, size_px: int
) -> None:
    network = NetworkConfig(name="dlib_resnet", image_size_px=size_px)
    model = stored_network(store, member=MemberConfig(name="faces", network=network))
    path, _ = write_onnx(model.id, tmp_path, store)
    images = random_images(20)
    expected = predict_probabilities(*load_network(store, model), images)
    np.testing.assert_allclose(open_model(str(path)).predict(images), expected, atol=1e-5)


@pytest.mark.slow
def test_an_ensemble_is_one_file(exported: Exported, tmp_path: Path) -> None:
    store = exported.store
    members = [stored_network(store, seed=seed) for seed in (0, 1, 2)]
    ensemble = stored_ensemble(store, members, MajorityRule(num_members=3), temperature=1.4)
    path, facts = write_onnx(ensemble.id, tmp_path, store)
    images = random_images(20)
    expected = predict_model(store, ensemble, images)
    model = open_model(str(path))
    np.testing.assert_allclose(model.predict(images), expected, atol=1e-4)
    assert model.is_calibrated
    assert (facts.combination, facts.temperature, len(facts.networks)) == ("majority", 1.4, 3)


@pytest.fixture(scope="module")
def int8(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    calibration = calibration_images(exported.model.id, exported.store)
    folder = tmp_path_factory.mktemp("int8")
    path, facts = write_onnx(exported.model.id, folder, exported.store, calibration=calibration)
    assert open_onnx(path).facts == facts
    return path


def test_an_int8_file_is_small_and_predicts_nearly_the_same(exported: Exported, int8: Path) -> None:
    calibration = calibration_images(exported.model.id, exported.store)
    network, preprocessing = load_network(exported.store, exported.model)
    expected = predict_probabilities(network, preprocessing, calibration)
    found = open_model(str(int8)).predict(calibration)
    assert np.abs(found - expected).max() < 0.05
    facts = open_onnx(int8).facts
    assert (facts.precision, facts.accuracy) == ("int8", {})
    same = found.argmax(1) == expected.argmax(1)
    assert facts.same_answers == pytest.approx(same.mean())
    names = [file.name for file in int8.parent.iterdir()]
    assert names == [f"{exported.model.id}-int8.onnx"]


def test_an_int8_file_that_answers_otherwise_gives_a_warning(
    exported: Exported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quantized(source: Path, target: Path, _images: object) -> None:
        model = onnx.load(str(source))
        for entry in model.metadata_props:
            facts = OnnxFacts.model_validate_json(entry.value)
            entry.value = facts.model_copy(update={"same_answers": 0.801}).model_dump_json()
        onnx.save(model, str(target))

    monkeypatch.setattr("fer_models.inference.export_onnx.quantize_onnx", quantized)
    events: list[Progress] = []
    with listening(events.append):
        write_onnx(exported.model.id, tmp_path, exported.store, calibration=random_images(1))
    [warning] = [event.note for event in events if event.is_warning]
    assert "for only 80.1% of the calibration images" in warning


def test_int8_of_a_bundle_needs_images() -> None:
    with pytest.raises(ConfigError, match="--images FOLDER or TABLE"):
        calibration_images("bundled:face_cnn")


def test_too_few_images_to_calibrate_on_are_refused_before_the_export(tmp_path: Path) -> None:
    for number, image in enumerate(random_images(2)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    with pytest.raises(DataError, match=r"at least 32 images .*, got 2 from .*; name .* --images"):
        calibration_images("bundled:face_cnn", images=str(tmp_path))


@pytest.mark.parametrize("options", [{"tta": "flip"}, {"calibration": random_images(64)}])
def test_a_file_beside_a_bundle_that_predicts_something_else_is_not_used(
    exported: Exported, tmp_path: Path, options: dict[str, Any]
) -> None:
    bundle = str(shutil.copytree(exported.folder, tmp_path / "bundles") / "small.json")
    write_onnx(bundle, tmp_path / "bundles", name="small", **options)
    images = random_images(20)
    expected = load_bundled(bundle).at_speed("best").predict(images)
    np.testing.assert_array_equal(open_model(bundle, speed="best").predict(images), expected)


def test_a_file_without_weights_takes_the_measure_of_unfamiliarity_from_its_bundle(
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(WEIGHTS, tmp_path / "weights", ignore=_all_but_the_small_one))
    path, facts = write_onnx(str(folder / "face_cnn_small.json"), folder, with_weights=False)
    assert facts.familiarity == ""
    unfamiliarity = open_model(str(path)).unfamiliarity
    assert unfamiliarity is not None
    assert np.isfinite(unfamiliarity(random_images(3))).all()
    (folder / "face_cnn_small.json").write_text("{}")
    assert open_model(str(path)).unfamiliarity is None


def _all_but_the_small_one(_: str, names: list[str]) -> list[str]:
    return [name for name in names if not name.startswith("face_cnn_small.")]
