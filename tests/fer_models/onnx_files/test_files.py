"""ONNX files that can't be used are refused with a reason."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fer_models.bundles.shipped import graph_file
from fer_models.errors import StoreError
from fer_models.onnx_files.facts import METADATA_KEY
from fer_models.onnx_files.session import open_onnx


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A shipped graph and its weights."""
    graph = graph_file("face_cnn")
    assert graph is not None
    for file in (graph, graph.with_suffix(".safetensors")):
        shutil.copy(file, tmp_path)
    return tmp_path / graph.name


def foreign_file(path: Path, metadata: str | None = None) -> Path:
    """A valid ONNX file of somebody else."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [value], [out])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    if metadata is not None:
        helper.set_model_props(model, {METADATA_KEY: metadata})
    onnx.save(model, str(path))
    return path


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="expected an ONNX file, got nothing"):
        open_onnx(tmp_path / "missing.onnx")


@pytest.mark.parametrize("keep", [0, 10, 5_000])
def test_a_damaged_file_is_refused(copied: Path, keep: int) -> None:
    copied.write_bytes(copied.read_bytes()[:keep])
    with pytest.raises(StoreError, match=r"face_cnn.onnx: expected an ONNX file that .*export"):
        open_onnx(copied)


def test_without_its_weights_a_graph_is_refused_with_the_remedy(copied: Path) -> None:
    copied.with_suffix(".safetensors").unlink()
    with pytest.raises(StoreError, match=r"the \.safetensors file must lie beside it"):
        open_onnx(copied)


def test_a_file_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="one without ferflow's metadata"):
        open_onnx(foreign_file(tmp_path / "foreign.onnx"))


def test_a_graph_that_is_not_as_its_metadata_say_is_refused(copied: Path, tmp_path: Path) -> None:
    facts = open_onnx(copied).facts
    path = foreign_file(tmp_path / "other.onnx", facts.model_dump_json())
    with pytest.raises(StoreError, match="not the one that the metadata describe") as caught:
        open_onnx(path)
    assert len(caught.value.problems) == 3


def test_all_problems_of_the_metadata_are_reported_together(tmp_path: Path) -> None:
    path = foreign_file(tmp_path / "newer.onnx", '{"format": 2, "classes": ["only"]}')
    with pytest.raises(StoreError, match="of this version") as caught:
        open_onnx(path)
    assert len(caught.value.problems) > 3


def test_predictions_do_not_depend_on_the_batch(copied: Path) -> None:
    model = open_onnx(copied, threads=1)
    images = np.random.default_rng(0).integers(0, 256, (70, 48, 48), dtype=np.uint8)
    together = model.predict(images, views=1)
    assert together.shape == (70, 7)
    alone = np.concatenate([model.predict(images[row : row + 1], views=1) for row in (0, 63, 69)])
    np.testing.assert_allclose(together[[0, 63, 69]], alone, atol=1e-5)
    assert model.predict(images[:0]).shape == (0, 7)


def test_a_file_has_no_path_of_the_machine_that_wrote_it(copied: Path) -> None:
    content = copied.read_bytes()
    assert b"site-packages" not in content
    assert str(Path(__file__).parents[3]).encode() not in content
