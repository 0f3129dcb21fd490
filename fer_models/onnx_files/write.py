"""Write a network or an ensemble as one ONNX file.

Inputs: `images`, uint8 N x H x W x C of any size, C 1 (grey) or 3 (RGB); `views`, int64 of shape 1,
which may be left out. Output: `probabilities`, float32 N x K.
"""

import contextlib
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import nn

from fer_models.combination.stored import Combination
from fer_models.dataset.image_format import recorded_format
from fer_models.errors import StoreError
from fer_models.onnx_files.facts import IMAGES, METADATA_KEY, PROBABILITIES, VIEWS, OnnxFacts
from fer_models.onnx_files.graph import OPSET, GraphBuilder
from fer_models.onnx_files.network_graph import NETWORK, network_graph
from fer_models.onnx_files.pixels_graph import pixels_of
from fer_models.onnx_files.rules_graph import calibrated, combined
from fer_models.onnx_files.views_graph import stacked_views
from fer_models.training.inputs.data import Preprocessing

if TYPE_CHECKING:
    import onnx_ir as ir

_IR_VERSION = 9
_WHITE = 255.0


class Part(NamedTuple):
    """A network in evaluation mode on the CPU, and its preprocessing."""

    network: nn.Module
    preprocessing: Preprocessing

    @property
    def tta(self) -> str:
        """Its views, see `training.inputs.tta`."""
        return self.preprocessing.get("tta", "none")


def onnx_model(
    parts: Sequence[Part], combination: Combination | None, facts: OnnxFacts
) -> "ir.Model":
    """Build the graph.

    Args:
        parts: the networks, which have the same classes and image format.
        combination: how they are combined; None for a single one.
        facts: the metadata.

    Raises:
        ConfigError: torch can't export one of the networks.
    """
    import onnx_ir as ir

    graph = GraphBuilder()
    images = _value(IMAGES, ir.DataType.UINT8, ["N", "H", "W", "C"])
    views = _value(VIEWS, ir.DataType.INT64, [1])
    views.const_value = ir.tensor(np.array([facts.views], dtype=np.int64), name=VIEWS)
    asked = graph.op("Max", graph.op("Min", views, [facts.views]), [1])
    pixels = pixels_of(graph, images, facts.target)
    scaled = graph.op("Div", pixels, _WHITE)
    members = [""] if combination is None else [f"{number}." for number in range(len(parts))]
    found = [
        _predicted(graph, scaled, asked, part, member)
        for part, member in zip(parts, members, strict=True)
    ]
    if combination is None:
        probabilities = calibrated(graph, found[0], asked, facts.temperatures)
    else:
        probabilities = combined(graph, found, combination, len(facts.classes))
    output = graph.op("Identity", probabilities)
    output.name = PROBABILITIES
    output.type = ir.TensorType(ir.DataType.FLOAT)
    output.shape = ir.Shape(["N", len(facts.classes)])
    whole = ir.Graph(
        [images, views],
        [output],
        nodes=graph.nodes,
        initializers=[views, *graph.initializers],
        opset_imports={"": OPSET},
        name=facts.model,
    )
    model = ir.Model(whole, ir_version=_IR_VERSION, producer_name="ferflow")
    model.producer_version = facts.ferflow
    model.metadata_props[METADATA_KEY] = facts.model_dump_json()
    return model


def save_onnx(model: "ir.Model", path: Path) -> None:
    """Write the graph to a file."""
    import onnx_ir as ir

    ir.save(model, path)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder, which replaces `path` at the end if it exists.

    After an error the old file stays. The folder is created.

    Raises:
        StoreError: the folder or the file can't be written.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        if temporary.exists():
            temporary.replace(path)
    except OSError as error:
        raise StoreError(
            f"{path}: can't write the ONNX file ({os.strerror(error.errno or 0)}); choose another "
            "folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _predicted(
    graph: GraphBuilder, scaled: "ir.Value", views: "ir.Value", part: Part, member: str
) -> "ir.Value":
    """Probabilities of one network, N x K: the mean over the views.

    `member` is the prefix of its weights' names.
    """
    prefix = f"network{member.rstrip('.')}/"
    image_format = recorded_format(part.preprocessing)
    size, channels = image_format.size_px, image_format.channels
    stacked = stacked_views(graph, scaled, part.tta, size, views)
    flat = graph.op("Reshape", stacked, [-1, channels, size, size])
    exported = network_graph(*part)

    def name(weight: str) -> str:
        if weight.startswith(NETWORK):
            return f"{member}{weight.removeprefix(NETWORK)}"
        return f"{prefix}{weight}"

    flat_probs = graph.include(exported.graph, flat, prefix, name)
    num_classes = len(part.preprocessing["classes"])
    shape = graph.op("Concat", [-1], graph.size(scaled, 0), [num_classes], axis=0)
    return graph.op("ReduceMean", graph.op("Reshape", flat_probs, shape), [0], keepdims=0)


def _value(name: str, kind: "ir.DataType", shape: Sequence[str | int]) -> "ir.Value":
    import onnx_ir as ir

    return ir.Value(name=name, type=ir.TensorType(kind), shape=ir.Shape(list(shape)))
