"""How the weights of an ONNX file are stored: in half precision, or in another file.

Both keep every value: weights are stored in half precision only where that changes nothing. The
runtime converts them while it loads the file.
"""

import hashlib
import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer_models.errors import StoreError
from fer_models.onnx_files.graph import ONNX_FLOAT

if TYPE_CHECKING:
    import onnx_ir as ir

_SMALLEST = 64  # smaller ones save nothing


def store_in_half_precision(model: "ir.Model") -> None:
    """Store weights in half precision, if that is exact: those of bundles are."""
    import onnx_ir as ir

    for weight in list(model.graph.initializers.values()):
        values = weight.const_value.numpy() if weight.const_value is not None else np.zeros(0)
        if values.dtype != np.float32 or values.size < _SMALLEST:
            continue
        with np.errstate(over="ignore"):
            halves = values.astype(np.float16)
        if np.array_equal(halves.astype(np.float32), values):
            _replace(model, weight, ir.tensor(halves, name=weight.name))


def refer_to_weights(model: "ir.Model", file: Path, sha256: str, prefix: str = "") -> None:
    """Let the weights of a network be read from a bundle's safetensors file, which must lie beside.

    Args:
        model: the graph.
        file: the weights of the network.
        sha256: that of the file.
        prefix: of the names of the network's weights in the graph.

    Raises:
        StoreError: the file is missing or another one.
    """
    import onnx_ir as ir

    content = file.read_bytes() if file.is_file() else b""
    if hashlib.sha256(content).hexdigest() != sha256:
        raise StoreError(
            f"{file}: expected the weights of the model in this file; copy the bundle's "
            ".safetensors there, or write the weights into the ONNX file"
        )
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for weight in list(model.graph.initializers.values()):
        name = str(weight.name)
        found = header.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if found is None or found["dtype"] != "F16":
            continue
        start, stop = found["data_offsets"]
        tensor = ir.ExternalTensor(
            file.name,
            8 + length + start,
            stop - start,
            ir.DataType.FLOAT16,
            shape=ir.Shape(found["shape"]),
            name=str(weight.name),
            base_dir=file.parent,
        )
        _replace(model, weight, tensor)


def _replace(model: "ir.Model", weight: "ir.Value", tensor: "ir.TensorProtocol") -> None:
    """Store a weight as a tensor of half precision, which a node converts."""
    import onnx_ir as ir

    graph = model.graph
    name = str(weight.name)
    stored = ir.Value(
        name=name, type=ir.TensorType(tensor.dtype), shape=weight.shape, const_value=tensor
    )
    node = ir.node("Cast", [stored], {"to": ONNX_FLOAT})
    [converted] = node.outputs
    converted.name = f"{name}.float32"
    weight.replace_all_uses_with(converted)
    del graph.initializers[name]
    graph.register_initializer(stored)
    graph.insert_before(graph[0], node)
