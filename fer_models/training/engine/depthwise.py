"""Depthwise convolutions in float32, where a processor computes all others in bfloat16."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


@contextmanager
def fast_depthwise(network: nn.Module, precision: str, device: torch.device) -> Iterator[None]:
    """Run the block with depthwise convolutions in float32, if that is faster.

    It is on a processor in bfloat16: torch's gradients of depthwise convolutions with a stride of 2
    or a kernel of 5 x 5 are many times slower in bfloat16 than in float32 there, while all other
    layers are faster (`make bench-train`). Elsewhere, and for networks without depthwise
    convolutions, nothing changes.
    """
    wanted = device.type == "cpu" and precision == "bf16-mixed"
    if not wanted or not any(_is_depthwise(module) for module in network.modules()):
        yield
        return
    with _DepthwiseInFloat32():
        yield


def _is_depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels


class _DepthwiseInFloat32(TorchFunctionMode):
    """Takes `conv2d` with a group for each channel out of the autocast."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is not torch.conv2d:
            return func(*args, **kwargs)
        image_BCHW, kernels, *others = args  # as torch.nn and timm call it
        if not kernels.shape[1] == 1 < image_BCHW.shape[1]:
            return func(*args, **kwargs)
        with torch.autocast("cpu", enabled=False):
            return func(image_BCHW.float(), kernels.float(), *others, **kwargs)
