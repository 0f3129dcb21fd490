"""A shipped network in int8 answers as it does in float32, on every processor."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx.numpy_helper import to_array

from fer_models.bundles.shipped import graph_file
from fer_models.onnx_files.quantize import quantize_onnx
from fer_models.onnx_files.session import open_onnx
from fer_models.onnx_files.weights import store_in_half_precision
from fer_models.synthetic.config import SyntheticConfig
from fer_models.synthetic.generate import generate_synthetic


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with ReLU6 and depthwise convolutions."""
    faces = generate_synthetic(SyntheticConfig(num_images=160), seed=0)
    source = graph_file("efficientnet_lite0")
    assert source is not None
    target = tmp_path_factory.mktemp("quantized") / "int8.onnx"
    quantize_onnx(source, target, faces.images)
    return target


def test_a_network_with_relu6_keeps_its_answers(quantized: Path) -> None:
    """0.92; 0.79 if ReLU6 is left in float32, as the values before it need a wider range."""
    facts = open_onnx(quantized).facts
    assert facts.same_answers is not None
    assert facts.same_answers > 0.86


def test_weights_have_seven_bits(quantized: Path) -> None:
    """With eight, sums overflow on processors with AVX2 and no VNNI: 45 % right instead of 69 %."""
    tensors = map(to_array, onnx.load(str(quantized)).graph.initializer)
    weights = [one for one in tensors if one.dtype == np.int8 and one.ndim > 1]
    assert weights
    assert max(np.abs(one.astype(int)).max() for one in weights) == 64


def nodes_before(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The nodes that its first input is computed by, the last one first."""
    makers = {value: maker for maker in graph.node for value in maker.output}
    found, wanted = [], [node.input[0]]
    while wanted:
        maker = makers.pop(wanted.pop(0), None)
        if maker is not None:
            found.append(maker)
            wanted += maker.input
    return found


def stored_in_half(folder: Path) -> Path:
    """The shipped file with the matrices of its resize in half precision, as exports have them."""
    source = graph_file("efficientnet_lite0")
    assert source is not None
    shutil.copy(source.with_suffix(".safetensors"), folder)
    model = ir.load(source)
    store_in_half_precision(model)
    ir.save(model, folder / source.name)
    return folder / source.name


@pytest.mark.parametrize("are_weights_halves", [False, True])
def test_preprocessing_stays_in_float32(
    quantized: Path, tmp_path: Path, are_weights_halves: bool
) -> None:
    """Stored images have 48 px, the network reads 96: a resize in int8 would round its pixels."""
    if are_weights_halves:
        faces = generate_synthetic(SyntheticConfig(num_images=160), seed=0)
        quantized = tmp_path / "int8.onnx"
        quantize_onnx(stored_in_half(tmp_path), quantized, faces.images[:32])
    graph = onnx.load(str(quantized)).graph
    first = next(node for node in graph.node if node.op_type == "Conv")
    kinds = [node.op_type for node in nodes_before(graph, first)]
    assert kinds[:2] == ["DequantizeLinear", "QuantizeLinear"]  # the input of the convolution
    assert kinds.count("MatMul") == 2  # rows and columns of the resize
    assert not {"QuantizeLinear", "DequantizeLinear"} & set(kinds[2:])
