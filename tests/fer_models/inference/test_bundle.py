"""Export and loading of weight bundles."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from fer_models.bundles import shipped as module
from fer_models.bundles.bundle import Bundle, load_any_bundle, load_bundle
from fer_models.bundles.facts import BundleFacts
from fer_models.bundles.shipped import bundled_names, default_bundle
from fer_models.dataset.snapshot import open_snapshot
from fer_models.errors import StoreError
from fer_models.evaluation.evaluate import is_leaked
from fer_models.inference.export import write_bundle
from fer_models.labels import CLASS_NAMES
from fer_models.models.config import NetworkConfig
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from fer_models.training.config import MemberConfig
from fer_models.training.inputs.data import split_images
from fer_models.training.predict import load_network, predict_probabilities
from tests.fer_models.builders import build_model
from tests.fer_models.inference.builders import MEMBER, stored_network
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images
from tests.fer_models.lineages import moved, with_lineage


@pytest.fixture
def copied(exported: Exported, tmp_path: Path) -> Path:
    """A copy of the bundle's folder, to be damaged."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copied"))


def change_facts(folder: Path, **changes: Any) -> Path:
    file = folder / "small.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes), encoding="utf-8")
    return file


def test_a_bundle_predicts_nearly_what_the_stored_network_does(exported: Exported) -> None:
    images = random_images(40)
    network, preprocessing = load_network(exported.store, exported.model)
    bundle = load_bundle(exported.folder / "small.json")
    assert bundle.preprocessing == preprocessing
    np.testing.assert_allclose(
        predict_probabilities(bundle.network, bundle.preprocessing, images),
        predict_probabilities(network, preprocessing, images),
        atol=2e-3,
    )


def test_a_bundle_may_predict_with_another_tta_than_the_training(
    exported: Exported, tmp_path: Path
) -> None:
    facts = write_bundle(exported.store, exported.model, tmp_path, name="ten-crop", tta="ten_crop")
    bundle = load_bundle(tmp_path / "ten-crop.json")
    assert isinstance(facts, BundleFacts)
    assert facts.member.tta == "ten_crop"
    assert bundle.preprocessing["tta"] == "ten_crop"
    images = random_images(20)
    plain = load_bundle(exported.folder / "small.json")
    found = [predict_probabilities(b.network, b.preprocessing, images) for b in (bundle, plain)]
    assert np.abs(found[0] - found[1]).max() > 1e-4


def test_weights_are_the_stored_ones_rounded_to_half_precision(exported: Exported) -> None:
    network, _ = load_network(exported.store, exported.model)
    bundled = load_bundle(exported.folder / "small.json").network
    assert not bundled.training
    for name, value in network.state_dict().items():
        found = bundled.state_dict()[name]
        assert found.dtype == value.dtype
        expected = value.half().float() if value.is_floating_point() else value
        assert torch.equal(found, expected), name


def test_either_file_identifies_the_bundle(exported: Exported) -> None:
    paths = [exported.folder / f"small{suffix}" for suffix in (".json", ".safetensors")]
    assert [load_bundle(str(path)).facts for path in paths] == [exported.facts] * 2


def test_the_metadata_describes_the_training_and_its_accuracy(exported: Exported) -> None:
    facts = exported.facts
    assert (facts.name, facts.command, facts.machine) == ("small", "ferflow run", "a computer")
    assert (facts.seed, facts.train_seconds) == (0, 1.5)
    assert facts.classes == list(CLASS_NAMES)
    assert facts.snapshot_id == exported.store.info(exported.model)["snapshot_id"]


def test_training_settings_are_kept_but_may_be_unknown(copied: Path) -> None:
    member = json.loads((copied / "small.json").read_text())["member"]
    assert member == MEMBER.model_dump(mode="json")
    member["training"] = {"a_setting_of_another_version": 1}
    assert load_bundle(change_facts(copied, member=member)).facts.name == "small"


def test_accuracies_are_those_of_the_rounded_weights(exported: Exported) -> None:
    ref = SnapshotRef(id=exported.facts.snapshot_id, url="")
    snapshot = open_snapshot(exported.store, ref)
    part = split_images(snapshot, "validation")
    network, preprocessing, facts = load_bundle(exported.folder / "small.json")
    right = predict_probabilities(network, preprocessing, part.images).argmax(1) == part.labels
    unseen = ~is_leaked(snapshot, snapshot.positions("validation"))
    for name, expected in {"validation": right, "validation_unseen": right[unseen]}.items():
        assert facts.accuracy[name].n == len(expected)
        assert facts.accuracy[name].accuracy == pytest.approx(expected.mean())


def test_images_of_an_earlier_training_are_no_unseen_images(store: ArtifactStore) -> None:
    model = stored_network(store)
    ref = store.ref(SnapshotRef, store.info(model)["snapshot_id"])
    snapshot = open_snapshot(store, ref)
    validation = snapshot.positions("validation")
    learned = validation[~is_leaked(snapshot, validation)][:9]
    origin = build_model(store, moved(store, snapshot, learned, "train"), "origin")
    warm = with_lineage(store, model, initial=origin.id)
    plain, touched = (
        write_bundle(store, one, store.local_root / "out").accuracy for one in (model, warm)
    )
    assert touched["validation"].n == plain["validation"].n
    assert touched["validation_unseen"].n == plain["validation_unseen"].n - 9


def test_without_its_images_the_recorded_accuracy_is_used(store: ArtifactStore) -> None:
    model = stored_network(store)
    shutil.rmtree(store.local_root / "datasets")
    facts = write_bundle(store, model, store.local_root / "out")
    assert facts.name == model.id
    assert set(facts.accuracy) == {"validation"}
    assert facts.accuracy["validation"].n == 42
    assert facts.accuracy["validation"].accuracy == store.info(model)["validation_accuracy"]


def test_the_same_network_may_be_exported_again(exported: Exported, copied: Path) -> None:
    facts = write_bundle(exported.store, exported.model, copied, name="small", command="other")
    assert load_bundle(copied / "small.json").facts == facts
    assert sorted(path.name for path in copied.iterdir()) == ["small.json", "small.safetensors"]


# -- rejected bundles ----------------------------------------------------------------------------


def test_too_large_a_network_is_rejected(store: ArtifactStore, tmp_path: Path) -> None:
    network = NetworkConfig(name="scratch_cnn", width=1.5)
    model = stored_network(store, member=MemberConfig(name="large", network=network))
    with pytest.raises(StoreError, match=r"at most 8 MB in half precision, got \d+\.\d MB"):
        write_bundle(store, model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_too_large_for_half_precision_are_rejected(
    store: ArtifactStore, tmp_path: Path
) -> None:
    model = stored_network(store, scale=1e6)
    with pytest.raises(StoreError, match="at most 65504"):
        write_bundle(store, model, tmp_path / "out")


@pytest.mark.parametrize("name", ["Large Letters", "../up", ".hidden", "a/b"])
def test_an_invalid_bundle_name_is_rejected(exported: Exported, tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="change --name"):
        write_bundle(exported.store, exported.model, tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_other_weights_of_the_same_name_are_not_overwritten(
    exported: Exported, store: ArtifactStore, copied: Path
) -> None:
    before = (copied / "small.safetensors").read_bytes()
    with pytest.raises(StoreError, match="choose another --name"):
        write_bundle(store, stored_network(store, seed=1), copied, name="small")
    assert (copied / "small.safetensors").read_bytes() == before


def test_a_file_in_place_of_the_folder_is_rejected(exported: Exported, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="expected a folder"):
        write_bundle(exported.store, exported.model, tmp_path / "file" / "deeper")


def test_damaged_weights_are_rejected(copied: Path) -> None:
    file = copied / "small.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(StoreError, match=r"small.safetensors: expected weights with the sha256"):
        load_bundle(copied / "small.json")


@pytest.mark.parametrize("where", ["classes", "preprocessing"])
def test_another_class_order_is_rejected(copied: Path, where: str) -> None:
    order = sorted(CLASS_NAMES, reverse=True)
    facts = json.loads((copied / "small.json").read_text())
    changed = order if where == "classes" else facts[where] | {"classes": order}
    with pytest.raises(StoreError, match="expected the same two or more classes"):
        load_bundle(change_facts(copied, **{where: changed}))


def test_all_problems_of_the_metadata_are_reported_together(copied: Path) -> None:
    file = change_facts(copied, weights_sha256="abc", seed="many")
    with pytest.raises(StoreError, match="metadata of a weight bundle") as caught:
        load_bundle(file)
    assert len(caught.value.problems) == 2
    file.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="metadata of a weight bundle"):
        load_bundle(file)


def test_weights_of_another_network_are_rejected(copied: Path) -> None:
    member = json.loads((copied / "small.json").read_text())["member"]
    member["network"]["width"] = 0.5
    with pytest.raises(StoreError, match="do not fit the network compact_cnn"):
        load_bundle(change_facts(copied, member=member))


def test_a_file_without_safetensors_is_rejected(copied: Path) -> None:
    data = b"not weights at all"
    (copied / "small.safetensors").write_bytes(data)
    with pytest.raises(StoreError, match="expected safetensors weights"):
        load_bundle(change_facts(copied, weights_sha256=hashlib.sha256(data).hexdigest()))


@pytest.mark.parametrize("gone", [".json", ".safetensors"])
def test_a_bundle_with_a_missing_file_is_rejected(copied: Path, gone: str) -> None:
    (copied / f"small{gone}").unlink()
    with pytest.raises(StoreError, match=f"small{gone}.*in the same folder"):
        load_bundle(copied / "small.json")


# -- shipped bundles -----------------------------------------------------------------------------


def test_without_shipped_weights_the_error_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHIPPED", tmp_path)
    assert bundled_names() == []
    with pytest.raises(StoreError, match="ships no weights; train a network"):
        default_bundle()


def test_the_bundle_with_the_best_validation_accuracy_is_the_default(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHIPPED", copied)
    weights, text = copied / "small.safetensors", (copied / "small.json").read_text()
    for name, accuracy in (("better", 0.9), ("worse", 0.1), ("unmeasured", None)):
        measured = {} if accuracy is None else {"validation": {"accuracy": accuracy, "n": 9}}
        facts = json.loads(text) | {"name": name, "accuracy": measured}
        (copied / f"{name}.json").write_text(json.dumps(facts), encoding="utf-8")
        shutil.copy(weights, copied / f"{name}.safetensors")
    (copied / "README.md").write_text("no bundle")
    assert bundled_names() == ["better", "small", "unmeasured", "worse"]
    assert default_bundle() == "better"
    assert load_bundle("worse").facts.accuracy["validation"].accuracy == 0.1
    with pytest.raises(StoreError, match=r"\(better, small, unmeasured, worse\), got 'wors'"):
        load_bundle("wors")


def test_every_shipped_bundle_can_be_loaded_and_is_small() -> None:
    for name in bundled_names():
        bundle = load_any_bundle(name)
        assert bundle.facts.name == name
        assert bundle.facts.command
        assert bundle.facts.validation_accuracy > 0
        parts = (bundle[:2],) if isinstance(bundle, Bundle) else bundle.members
        for network, preprocessing in parts:
            size, channels = preprocessing["image_size_px"], preprocessing["in_channels"]
            assert network(torch.zeros(1, channels, size, size)).shape == (1, 7)
    sizes = [len(path.read_bytes()) for path in module._SHIPPED.iterdir() if path.is_file()]
    assert max(sizes) < 8_000_000
    assert sum(sizes) < 46_000_000


_LEAN = """
import sys
ABSENT = {"prefect", "ray", "pytorch_lightning", "lightning", "great_expectations", "wandb",
          "s3fs", "sklearn", "scipy", "matplotlib", "pyarrow", "torchmetrics", "cleanlab"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
import fer_models
from fer_models.inference.pictures.find import find_pictures
from fer_models.inference.predict_found import predict_found
from fer_models.inference.results.annotate import annotation_folder
from fer_models.inference.results.writer import predictions_file
from pathlib import Path
model = fer_models.load_model(sys.argv[1])
file = predictions_file(Path(sys.argv[3]), model.classes, "csv")
with file as out, annotation_folder(Path(sys.argv[3] + ".faces")) as copies:
    predict_found(find_pictures([sys.argv[2]]), model, "crop", [out, copies])
assert len(fer_models.predict([sys.argv[2]], model=model, faces="crop").to_frame()) == 1
"""


def test_prediction_needs_only_torch_numpy_pandas_and_pillow(
    exported: Exported, tmp_path: Path
) -> None:
    Image.new("L", (48, 48), 90).save(tmp_path / "face.png")
    arguments = [exported.folder / "small.json", tmp_path / "face.png", tmp_path / "out.csv"]
    command = [sys.executable, "-c", _LEAN, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
