"""Graph of a combination of several networks as `combination` computes it, and of temperatures.

M members, N images, K classes; probabilities are 0..1. float32, where `combination` has float64.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fer_models.combination.rules import (
    SMALLEST_PROBABILITY,
    MajorityRule,
    MeanRule,
    StackingRule,
)
from fer_models.combination.stored import Combination
from fer_models.evaluation.temperature import SMALLEST_PROBABILITY as SMALLEST_SCALED
from fer_models.onnx_files.graph import ONNX_FLOAT, Constant, GraphBuilder

if TYPE_CHECKING:
    import onnx_ir as ir


def combined(
    graph: GraphBuilder, members: "Sequence[ir.Value]", combination: Combination, num_classes: int
) -> "ir.Value":
    """Probabilities N x K of an ensemble, from those of its members, N x K each."""
    rule = combination.rule
    if isinstance(rule, MeanRule):
        probabilities = _mean(graph, members, rule.weights)
    elif isinstance(rule, MajorityRule):
        probabilities = _majority(graph, members, num_classes)
    else:
        probabilities = _stacking(graph, members, rule)
    if combination.temperature == 1:
        return graph.op("Cast", probabilities, to=ONNX_FLOAT)
    return _at_temperature(graph, probabilities, combination.temperature)


def calibrated(
    graph: GraphBuilder,
    probabilities: "ir.Value",
    views: "ir.Value",
    temperatures: Mapping[int, float],
) -> "ir.Value":
    """Probabilities N x K of a single network, at the temperature of its number of views.

    With other numbers of views they stay as they are.
    """
    if not temperatures:
        return probabilities
    chosen: ir.Value | Constant = [1.0]
    for number, temperature in temperatures.items():
        chosen = graph.op("Where", graph.op("Equal", views, [number]), [temperature], chosen)
    return _at_temperature(graph, probabilities, chosen)


def _mean(
    graph: GraphBuilder, members: "Sequence[ir.Value]", weights: Sequence[float]
) -> "ir.Value":
    parts = [graph.op("Mul", one, float(w)) for one, w in zip(members, weights, strict=True)]
    return graph.op("Sum", *parts)


def _majority(graph: GraphBuilder, members: "Sequence[ir.Value]", num_classes: int) -> "ir.Value":
    best = [graph.op("ArgMax", one, axis=1, keepdims=0) for one in members]
    votes = [graph.op("OneHot", one, [num_classes], [0.0, 1.0], axis=-1) for one in best]
    mean = _mean(graph, members, [1 / len(members)] * len(members))
    return graph.op("Div", graph.op("Sum", *votes, mean), float(len(members) + 1))


def _stacking(graph: GraphBuilder, members: "Sequence[ir.Value]", rule: StackingRule) -> "ir.Value":
    features = []
    for one in members:
        logs = graph.op("Log", graph.op("Max", one, SMALLEST_PROBABILITY))
        features.append(graph.op("Sub", logs, graph.op("ReduceMean", logs, [1], keepdims=1)))
    coefficients_KF = np.array(rule.coefficients).reshape(len(rule.intercepts), -1)
    scores = graph.op(
        "Gemm", graph.op("Concat", *features, axis=1), coefficients_KF.T, rule.intercepts
    )
    return graph.op("Softmax", scores, axis=1)


def _at_temperature(
    graph: GraphBuilder, probabilities: "ir.Value", temperature: "ir.Value | Constant"
) -> "ir.Value":
    logs = graph.op("Log", graph.op("Max", probabilities, SMALLEST_SCALED))
    return graph.op("Softmax", graph.op("Div", logs, temperature), axis=1)
