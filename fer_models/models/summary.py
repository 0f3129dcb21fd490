"""Summary of a network by layer: output shapes, parameters and multiply-adds.

Networks are built on torch's meta device, which has shapes but no memory, so even the largest takes
about a second. torch's FlopCounterMode counts the multiply-adds of convolutions, matrix products
and attention; element-wise operations are not counted. Not torchinfo: version 1.8 counts a linear
layer once per image instead of once per token.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from fer_models.errors import ConfigError
from fer_models.models.config import NetworkConfig
from fer_models.models.factory import build_empty_network, count_parameters

_BYTES_PER_WEIGHT = 4  # float32
_OPERATIONS_PER_MULTIPLY_ADD = 2


@dataclass(frozen=True)
class Layer:
    """One layer; its counts include those of its sublayers without a row of their own.

    `output_shape` is for one image (1 x ...); None for a layer that is never called itself.
    """

    name: str
    kind: str
    level: int
    output_shape: tuple[int, ...] | None
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class NetworkSummary:
    """A network's layers in order of construction, and its totals; counts are per image."""

    config: NetworkConfig
    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    multiply_adds: int

    @property
    def weights_mb(self) -> float:
        """Size of the weights in float32, 10^6 bytes; running statistics are not counted."""
        return self.parameters * _BYTES_PER_WEIGHT / 1e6


def summarize(config: NetworkConfig, depth: int = 2) -> NetworkSummary:
    """Summarise a network without loading pretrained weights.

    Example:
        summary = summarize(NetworkConfig(name="face_cnn"))
        print(summary.parameters, summary.multiply_adds)

    Args:
        config: the network and its input.
        depth: levels of nested layers that get rows; 1 is the outermost level only.

    Raises:
        ConfigError: the network is unknown, or can't take images of that size.
    """
    try:
        with torch.device("meta"):
            return _summarize(config, depth)
    except (ConfigError, RuntimeError, TypeError):
        # Some networks need tensor values while they are built, which meta tensors lack. If the
        # network itself is at fault, this raises the error that says so.
        return _summarize(config, depth)


def _summarize(config: NetworkConfig, depth: int) -> NetworkSummary:
    network = build_empty_network(config).eval()
    trainable = sum(weights.numel() for weights in network.parameters() if weights.requires_grad)
    network.requires_grad_(False)  # the counter fails on trainable weights passed as layer inputs
    size = config.side_px
    trace = _Trace(network, depth)
    trace.run(torch.zeros(1, config.input_channels, size, size))
    return NetworkSummary(
        config=config,
        layers=tuple(_layers(network, trace, depth)),
        parameters=count_parameters(network),
        trainable=trainable,
        multiply_adds=sum(trace.multiply_adds.values()),
    )


def _layers(network: nn.Module, trace: "_Trace", depth: int) -> list[Layer]:
    counted: set[int] = set()
    layers = []
    for name, module in network.named_modules():
        level = _level(name)
        if level > depth:
            continue
        parameters = [
            parameter
            for parameter in module.parameters(recurse=level == depth)
            if id(parameter) not in counted  # layers may share weights
        ]
        counted.update(id(parameter) for parameter in parameters)
        layer = Layer(
            name=name,
            kind=type(module).__name__,
            level=level,
            output_shape=trace.output_shapes.get(name),
            parameters=sum(parameter.numel() for parameter in parameters),
            multiply_adds=trace.multiply_adds.get(name, 0),
        )
        if not isinstance(module, nn.Identity):
            layers.append(layer)
    return layers


class _Trace:
    """Output shapes and multiply-adds of one forward pass, by layer.

    Multiply-adds count for the innermost running layer that has a row, so that they sum to the
    total.
    """

    def __init__(self, network: nn.Module, depth: int) -> None:
        self.output_shapes: dict[str, tuple[int, ...]] = {}
        self.multiply_adds: dict[str, int] = {}
        self._network = network
        self._depth = depth
        self._counter = FlopCounterMode(display=False)
        self._counted = 0
        self._active_rows: list[str] = []

    def run(self, images: Tensor) -> None:
        hooks = []
        for name, module in self._network.named_modules():
            row = ".".join(name.split(".")[: self._depth])
            hooks.append(module.register_forward_pre_hook(partial(self._enter, row)))
            hooks.append(module.register_forward_hook(partial(self._leave, name)))
        try:
            with torch.no_grad(), self._counter:
                self._network(images)
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, row: str, _module: nn.Module, _inputs: Any) -> None:
        self._assign()
        self._active_rows.append(row)

    def _leave(self, name: str, _module: nn.Module, _inputs: Any, features: Any) -> None:
        self._assign()
        self._active_rows.pop()
        if isinstance(features, Tensor):
            self.output_shapes[name] = tuple(features.shape)

    def _assign(self) -> None:
        """Add the operations since the last call to the running layer."""
        total = self._counter.get_total_flops() // _OPERATIONS_PER_MULTIPLY_ADD
        if self._active_rows:
            row = self._active_rows[-1]
            self.multiply_adds[row] = self.multiply_adds.get(row, 0) + total - self._counted
        self._counted = total


def _level(name: str) -> int:
    return name.count(".") + 1 if name else 0
