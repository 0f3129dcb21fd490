"""Move max-pooling behind the normalisation and activation that follow it.

Both are increasing functions of a pixel if all scales are positive, and so the maximum of their
values is the value of the maximum. A runtime can then merge them with the convolution before.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx_ir as ir


def move_pooling_back(graph: "ir.Graph") -> None:
    """Reorder `MaxPool -> BatchNormalization -> Relu`, where that changes no result."""
    for pool in [node for node in graph if node.op_type == "MaxPool"]:
        chain = _increasing_after(pool)
        if chain:
            _move(graph, pool, chain)


def _increasing_after(pool: "ir.Node") -> "list[ir.Node]":
    chain: list[ir.Node] = []
    value = pool.outputs[0]
    while len(users := list(value.uses())) == 1 and _is_increasing(users[0].node, value):
        chain.append(users[0].node)
        value = users[0].node.outputs[0]
    return chain


def _is_increasing(node: "ir.Node", value: "ir.Value") -> bool:
    if node.inputs[0] is not value:
        return False
    if node.op_type == "Relu":
        return True
    scale = node.inputs[1] if node.op_type == "BatchNormalization" else None
    if scale is None or scale.const_value is None:
        return False
    return bool((scale.const_value.numpy() > 0).all())


def _move(graph: "ir.Graph", pool: "ir.Node", chain: "list[ir.Node]") -> None:
    last = chain[-1].outputs[0]
    source, pooled = pool.inputs[0], pool.outputs[0]
    assert source is not None
    last.replace_all_uses_with(pooled)
    chain[0].replace_input_with(0, source)
    pool.replace_input_with(0, last)
    graph.remove(pool)
    graph.insert_after(chain[-1], pool)
    for node in chain:
        node.outputs[0].shape = source.shape
