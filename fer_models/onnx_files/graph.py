"""Build ONNX graphs node by node.

Only the export needs the packages onnx and onnx_ir; running a file needs onnxruntime alone.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import onnx_ir as ir

OPSET = 18
# Numbers of the types in the ONNX standard.
ONNX_FLOAT, ONNX_INT64, ONNX_BOOL = 1, 7, 9

Number = int | float
Constant = Number | Sequence[Number] | Sequence[Sequence[Number]] | npt.NDArray[Any]


class GraphBuilder:
    """Collects nodes; inputs of a node are values, or numbers that become constants.

    Whole numbers become int64, others float32.

    Example:
        graph = GraphBuilder()
        doubled = graph.op("Mul", pixels, 2.0)
    """

    def __init__(self, prefix: str = "") -> None:
        """An empty graph; its values are named `<prefix><number>`."""
        self.nodes: list[ir.Node] = []
        """In the order in which they were added."""
        self.initializers: list[ir.Value] = []
        """Weights of the graphs that were included."""
        self._prefix = prefix
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def op(self, name: str, *inputs: "ir.Value | Constant", **attributes: Any) -> "ir.Value":
        """Add a node with one output; returns that output."""
        import onnx_ir as ir

        values = [one if isinstance(one, ir.Value) else self._constant(one) for one in inputs]
        return self._add(name, values, attributes)

    def size(self, value: "ir.Value", axis: int) -> "ir.Value":
        """The size of an axis, int64 of shape (1)."""
        return self.op("Shape", value, start=axis, end=axis + 1)

    def branches(
        self,
        condition: "ir.Value",
        then: "Callable[[GraphBuilder], ir.Value]",
        otherwise: "Callable[[GraphBuilder], ir.Value]",
    ) -> "ir.Value":
        """The value of one of two branches; only that one is computed."""
        then_branch, else_branch = self._branch("then", then), self._branch("else", otherwise)
        return self.op("If", condition, then_branch=then_branch, else_branch=else_branch)

    def include(
        self, graph: "ir.Graph", value: "ir.Value", prefix: str, weights: Callable[[str], str]
    ) -> "ir.Value":
        """Take over all nodes of a graph with one input and one output.

        Args:
            graph: is empty afterwards.
            value: the input.
            prefix: of the names of its nodes and values.
            weights: the new name of a weight.

        Returns:
            The output.
        """
        import onnx_ir as ir

        [old], [output] = graph.inputs, graph.outputs
        old.replace_all_uses_with(value)
        for name, weight in list(graph.initializers.items()):
            new = ir.Value(
                name=weights(name),
                type=weight.type,
                shape=weight.shape,
                const_value=weight.const_value,
            )
            weight.replace_all_uses_with(new)
            self.initializers.append(new)
        nodes = list(graph)
        graph.outputs.clear()
        graph.remove(nodes)
        for node in nodes:
            node.name = f"{prefix}{node.name}"
            for one in node.outputs:
                one.shape = _with_own_sizes(one.shape, prefix)
                one.name = f"{prefix}{one.name}"
        self.nodes += nodes
        return output

    def _branch(self, name: str, build: "Callable[[GraphBuilder], ir.Value]") -> "ir.Graph":
        import onnx_ir as ir

        # Names in a branch must differ from those around it, which it can refer to.
        inner = GraphBuilder(f"{self._prefix}{len(self.nodes)}_{name}_")
        output = inner.op("Identity", build(inner))
        return ir.Graph([], [output], nodes=inner.nodes, name=name)

    def _constant(self, value: Constant) -> "ir.Value":
        """A constant; equal ones are the same value."""
        import onnx_ir as ir

        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self._add("Constant", [], {"value": ir.tensor(array)})
        return self._constants[key]

    def _add(self, name: str, values: "Sequence[ir.Value]", attributes: Any) -> "ir.Value":
        import onnx_ir as ir

        node = ir.node(name, values, attributes)
        self.nodes.append(node)
        [added] = node.outputs
        added.name = f"{self._prefix}{len(self.nodes)}"
        return added


def _with_own_sizes(shape: "ir.Shape | None", prefix: str) -> "ir.Shape | None":
    """The shape with other names for its unknown sizes.

    onnxruntime shares memory between values whose sizes have the same name. Two networks with
    different numbers of views have batches of different sizes, which torch calls the same.
    """
    import onnx_ir as ir

    if shape is None:
        return None
    return ir.Shape(
        [f"{prefix}{dim.value}" if isinstance(dim, ir.SymbolicDim) else dim for dim in shape]
    )
