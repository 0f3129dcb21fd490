"""Run a part of a graph."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime

from fer_models.onnx_files.graph import OPSET, GraphBuilder

_TYPES = {"uint8": ir.DataType.UINT8, "float32": ir.DataType.FLOAT, "int64": ir.DataType.INT64}
Runner = Callable[..., np.ndarray]


def runner(
    folder: Path,
    inputs: Mapping[str, str],
    build: Callable[[GraphBuilder, dict[str, ir.Value]], ir.Value],
) -> Runner:
    """A function of named arrays that runs the nodes which `build` adds.

    `inputs` are names and types; arrays may have any shape.
    """
    graph = GraphBuilder()
    values = {
        name: ir.Value(name=name, type=ir.TensorType(_TYPES[kind])) for name, kind in inputs.items()
    }
    output = graph.op("Identity", build(graph, values))
    output.name, output.type = "output", ir.TensorType(ir.DataType.FLOAT)
    whole = ir.Graph(
        list(values.values()), [output], nodes=graph.nodes, opset_imports={"": OPSET}, name="part"
    )
    path = folder / "part.onnx"
    ir.save(ir.Model(whole, ir_version=9), path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(**arrays: Any) -> np.ndarray:
        [found] = session.run(None, arrays)
        return np.asarray(found)

    return run
