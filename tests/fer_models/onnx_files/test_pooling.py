"""Max-pooling is moved behind increasing functions only."""

from pathlib import Path

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from fer_models.onnx_files.graph import OPSET, GraphBuilder
from fer_models.onnx_files.pooling import move_pooling_back


def pooled_graph(scales: list[float]) -> ir.Graph:
    """Max-pooling, normalisation and ReLU of two channels."""
    graph = GraphBuilder()
    shape = ir.Shape(["N", 2, 8, 8])
    images = ir.Value(name="images", type=ir.TensorType(ir.DataType.FLOAT), shape=shape)
    given = {"scale": scales, "bias": [0.1, 0.2], "mean": [0.5, -0.5], "variance": [2.0, 0.5]}
    weights = [
        ir.Value(
            name=name,
            type=ir.TensorType(ir.DataType.FLOAT),
            const_value=ir.tensor(np.array(values, dtype=np.float32), name=name),
        )
        for name, values in given.items()
    ]
    pooled = graph.op("MaxPool", graph.op("Neg", images), kernel_shape=[2, 2], strides=[2, 2])
    output = graph.op("Relu", graph.op("BatchNormalization", pooled, *weights))
    output = graph.op("Identity", output)
    output.name, output.type = "output", ir.TensorType(ir.DataType.FLOAT)
    return ir.Graph(
        [images],
        [output],
        nodes=graph.nodes,
        initializers=weights,
        opset_imports={"": OPSET},
        name="pooled",
    )


def result_of(graph: ir.Graph, path: Path) -> np.ndarray:
    ir.save(ir.Model(graph, ir_version=9), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).normal(size=(3, 2, 8, 8)).astype(np.float32)
    return np.asarray(session.run(None, {"images": images})[0])


@pytest.mark.parametrize(
    ("scales", "order"),
    [
        ([0.5, 2.0], ["BatchNormalization", "Relu", "MaxPool"]),
        ([0.5, -2.0], ["MaxPool", "BatchNormalization", "Relu"]),
    ],
)
def test_pooling_moves_only_behind_positive_scales_and_results_stay(
    scales: list[float], order: list[str], tmp_path: Path
) -> None:
    graph = pooled_graph(scales)
    before = result_of(graph, tmp_path / "before.onnx")
    move_pooling_back(graph)
    assert [node.op_type for node in graph if node.op_type in order] == order
    np.testing.assert_allclose(result_of(graph, tmp_path / "after.onnx"), before, atol=1e-6)
