"""Grad-CAM: which places of an image a network's score for a class depends on.

Selvaraju et al. 2017 (https://arxiv.org/abs/1610.02391): the feature maps of a late layer, weighted
by the mean gradient of the class score, summed over channels; negative sums are 0. Computed by the
library grad-cam; what it needs to know is which layer has feature maps.

N images of S x S px.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_models.dataset.snapshot import Images
from fer_models.training.inputs.batches import as_float, to_inputs, uint8_tensor
from fer_models.training.inputs.data import Preprocessing

Heat = npt.NDArray[np.float32]
Layer = tuple[nn.Module, bool]
"""A layer, and whether the channels of its maps come last."""
# Deeper maps are about the class, larger ones about the place: the deepest map of at least this
# side is taken, or the deepest with any extent.
_WANTED_SIDE = 4
_SMALLEST_SIDE = 2
_MAP_DIMENSIONS = 4
_TOKEN_DIMENSIONS = 3


def grad_cam(
    network: nn.Module,
    preprocessing: Preprocessing,
    images: Images,
    classes: npt.NDArray[np.int64],
) -> Heat | None:
    """Heat maps of single classes, one for each image.

    Example:
        network, preprocessing = load_network(store, model)
        maps = grad_cam(network, preprocessing, images, probs_NK.argmax(1))

    Args:
        network: returns logits; on the CPU and in evaluation mode.
        preprocessing: input size and normalisation of the network.
        images: uint8 N x S x S (x 3).
        classes: the class of each image that is explained, N.

    Returns:
        float32 N x S x S, 0 to 1 (the highest value of each image, unless nothing speaks for the
        class); None if the network has no spatial feature maps, as a vision transformer.
    """
    inputs = to_inputs(as_float(uint8_tensor(images, torch.device("cpu"))), preprocessing)
    layer = _feature_layer(network, inputs[:1])
    if layer is None:
        return None
    return _library_maps(network, layer, inputs, classes, images.shape[1])


def _library_maps(
    network: nn.Module, layer: Layer, inputs: Tensor, classes: npt.NDArray[np.int64], side_px: int
) -> Heat:
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    module, channels_last = layer
    transform = _channels_first if channels_last else None
    with (
        torch.enable_grad(),
        GradCAM(network, target_layers=[module], reshape_transform=transform) as method,
    ):
        heat = method(inputs, targets=[ClassifierOutputTarget(int(k)) for k in classes])
    maps_N1hw = torch.as_tensor(heat)[:, None].float()
    resized = functional.interpolate(maps_N1hw, (side_px, side_px), mode="bilinear")
    return np.asarray(resized[:, 0].numpy(), dtype=np.float32)


def _channels_first(maps: Tensor) -> Tensor:
    return maps.permute(0, 3, 1, 2)


def _feature_layer(network: nn.Module, image: Tensor) -> Layer | None:
    """The layer whose maps are used, and whether their channels come last; None without one."""
    stages = _timm_stages(network)
    known = stages or {module: None for module in network.modules() if module is not network}
    found: list[tuple[nn.Module, bool, int]] = []
    has_tokens = False

    def see(module: nn.Module, _inputs: Any, features: Any) -> None:
        nonlocal has_tokens
        if not isinstance(features, Tensor):
            return
        has_tokens |= features.ndim == _TOKEN_DIMENSIONS
        if features.ndim == _MAP_DIMENSIONS:
            last = known[module] is not None and features.shape[1] != known[module]
            side = min(features.shape[1:3] if last else features.shape[2:])
            found.append((module, last, side))

    with _hooked(known, see), torch.no_grad():
        network(image)
    if has_tokens:
        return None
    for side in (_WANTED_SIDE, _SMALLEST_SIDE):
        for module, last, module_side in reversed(found):
            if module_side >= side:
                return module, last
    return None


def _timm_stages(network: nn.Module) -> dict[nn.Module, int | None]:
    """The stages that timm names for a network, with their channels; empty for other networks."""
    described: Any = getattr(network, "feature_info", None) or ()
    stages: dict[nn.Module, int | None] = {}
    for stage in described:
        try:
            stages[network.get_submodule(stage["module"])] = int(stage["num_chs"])
        except (AttributeError, KeyError, TypeError):
            continue
    return stages


@contextmanager
def _hooked(modules: Any, hook: Callable[..., Any]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
