"""Grad-CAM: which places of an image a network's score for a class depends on.

Selvaraju et al. 2017 (https://arxiv.org/abs/1610.02391): the feature maps of a late layer, weighted
by the mean gradient of the class score, summed over channels; negative sums are 0.

N images of S x S px, C channels of feature maps of h x w, K classes.
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
) -> npt.NDArray[np.float32] | None:
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
    module, channels_last = layer
    with torch.enable_grad():
        maps_NChw, scores_NK = _forward(network, module, inputs.detach().requires_grad_())
        picked = scores_NK.gather(1, torch.as_tensor(classes)[:, None]).sum()
        (gradients,) = torch.autograd.grad(picked, maps_NChw)
    maps, gradients = maps_NChw.detach().float(), gradients.float()
    if channels_last:
        maps, gradients = maps.permute(0, 3, 1, 2), gradients.permute(0, 3, 1, 2)
    weights = gradients.mean((2, 3), keepdim=True)
    heat_Nhw = functional.relu((weights * maps).sum(1, keepdim=True))
    side_px = images.shape[1]
    heat = functional.interpolate(heat_Nhw, size=(side_px, side_px), mode="bilinear")[:, 0]
    heat = heat / heat.amax((1, 2), keepdim=True).clamp_min(1e-12)
    return np.asarray(heat.numpy(), dtype=np.float32)


def _feature_layer(network: nn.Module, image: Tensor) -> tuple[nn.Module, bool] | None:
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


def _forward(network: nn.Module, layer: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """The maps of the layer, and the logits that follow from them."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: Any, features: Tensor) -> Tensor:
        # A layer that works in place would change the maps after they were taken.
        kept.append(features)
        return features.clone()

    with _hooked([layer], keep):
        logits = network(inputs)
    return kept[-1], logits


@contextmanager
def _hooked(modules: Any, hook: Callable[..., Any]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
