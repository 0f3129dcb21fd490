"""A shipped network in int8 answers as it does in float32, on every processor."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.numpy_helper import to_array

from fer_models.bundles.shipped import graph_file
from fer_models.onnx_files.quantize import quantize_onnx
from fer_models.onnx_files.session import open_onnx
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
