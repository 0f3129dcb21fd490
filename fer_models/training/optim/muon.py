"""Muon: momentum with orthogonalised updates, for convolution kernels.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers"; kernels are kept at a fixed norm
as in airbench94_muon, but only those whose norm the next layer removes.

Why not a library: torch's Muon takes 2-D weights only; timm's does not rescale kernels to a fixed
norm, runs the iteration kernel by kernel (slow on a GPU) and rounds differently (fused products,
momentum as a mean), so stored models could not be reproduced to the bit. The same goes for torch's
AdamW, which also can't share one optimiser state with the kernels.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, nn

from fer_models.training.runtime import has_bf16

# Newton-Schulz iteration x -> a x + (b xx' + c (xx')**2) x moves singular values to about 1.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 3
_EPSILON = 1e-7
_BETAS = (0.9, 0.999)
_ADAM_EPSILON = 1e-8
# The maximum and the mean of scaled values are scaled alike.
_POOLING = (
    nn.Identity,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.AdaptiveMaxPool2d,
    nn.AdaptiveAvgPool2d,
)


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum for kernels, AdamW for all other weights.

    A kernel's update has about the same size in every direction, whatever the gradient, so rare
    directions are learned as fast as common ones. Kernels that a normalisation follows are rescaled
    to norm sqrt(output channels) in each step, which changes no output of the network. Kernels
    have no weight decay.
    """

    def __init__(
        self,
        kernels: Iterable[nn.Parameter],
        others: Iterable[dict[str, Any]],
        *,
        learning_rate: float,
        other_learning_rate: float,
        momentum: float,
        normalized: AbstractSet[Tensor],
    ) -> None:
        """Optimise `kernels` with Muon and `others`, groups with a `weight_decay`, with AdamW.

        Those of the kernels that are `normalized` are rescaled, see `normalized_kernels`.
        """
        kernels = list(kernels)
        rescaled = [kernel in normalized for kernel in kernels]
        groups = [
            {"params": kernels, "orthogonal": True, "rescaled": rescaled, "lr": learning_rate},
            *({"orthogonal": False, "lr": other_learning_rate, **group} for group in others),
        ]
        groups = [group for group in groups if group["params"]]
        super().__init__(groups, {"momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update all weights; gradients are not modified."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [one for one in group["params"] if one.grad is not None]
            if not weights:
                continue
            gradients = [one.grad for one in weights]
            if group["orthogonal"]:
                self._muon_step(weights, gradients, group)
            else:
                self._adamw_step(weights, gradients, group)
        return loss

    def _muon_step(
        self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> None:
        for one in weights:
            if not self.state[one]:
                self.state[one]["momentum"] = torch.zeros_like(one)
        momenta = [self.state[one]["momentum"] for one in weights]
        torch._foreach_mul_(momenta, group["momentum"])
        torch._foreach_add_(momenta, gradients)
        updates = torch._foreach_add(  # noqa: SLF001 - torch has no public name for it
            gradients, momenta, alpha=group["momentum"]
        )
        matrices = [update.flatten(1) for update in updates]
        orthogonal = (
            orthogonalize_batched(matrices)
            if matrices[0].is_cuda
            else [orthogonalize(matrix) for matrix in matrices]
        )
        flags = zip(group["params"], group["rescaled"], strict=True)
        rescaled = {one for one, is_rescaled in flags if is_rescaled}
        for one, update in zip(weights, orthogonal, strict=True):
            if one in rescaled:
                one.mul_(len(one) ** 0.5 / (one.norm() + _EPSILON))
            one.add_(update.view_as(one), alpha=-group["lr"])

    def _adamw_step(
        self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
    ) -> None:
        """AdamW (Loshchilov, Hutter 2019)."""
        states = [self.state[one] for one in weights]
        for one, state in zip(weights, states, strict=True):
            if not state:
                state["step"] = 0
                state["mean"], state["square"] = torch.zeros_like(one), torch.zeros_like(one)
            state["step"] += 1
        first, second = _BETAS
        means, squares = [s["mean"] for s in states], [s["square"] for s in states]
        gradients_2 = torch._foreach_mul(gradients, gradients)  # noqa: SLF001
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_lerp_(squares, gradients_2, 1 - second)
        first_corrections = [1 - first ** s["step"] for s in states]
        second_corrections = [1 - second ** s["step"] for s in states]
        updates = torch._foreach_div(means, first_corrections)  # noqa: SLF001
        scales = torch._foreach_div(squares, second_corrections)  # noqa: SLF001
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, _ADAM_EPSILON)
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_addcdiv_(weights, updates, scales, value=-group["lr"])


def orthogonalize(matrix: Tensor) -> Tensor:
    """Move the large singular values of a matrix near 1 (0.5 to 1.4); float32, same shape."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = _newton_schulz((matrix.T if is_tall else matrix).to(_fast_type(matrix.device)))
    return (x.T if is_tall else x).float()


def orthogonalize_batched(matrices: Sequence[Tensor]) -> list[Tensor]:
    """As `orthogonalize`, as one batch padded with zeros, which stay zeros.

    For GPUs, where launching the operations of a small matrix takes longer than running them.
    """
    wide = [one.T if one.shape[0] > one.shape[1] else one for one in matrices]
    rows, columns = (max(lengths) for lengths in zip(*(one.shape for one in wide), strict=True))
    stack = wide[0].new_zeros(len(wide), rows, columns, dtype=_fast_type(wide[0].device))
    for part, one in zip(stack, wide, strict=True):
        part[: one.shape[0], : one.shape[1]] = one
    return [
        (part.T if one.shape[0] > one.shape[1] else part)[: one.shape[0], : one.shape[1]]
        for part, one in zip(_newton_schulz(stack).float(), matrices, strict=True)
    ]


def _fast_type(device: torch.device) -> torch.dtype:
    """The iteration is exact enough in bfloat16, but without instructions for it far slower."""
    return torch.bfloat16 if has_bf16(device) else torch.float32


def _newton_schulz(x: Tensor) -> Tensor:
    """Iterate on one wide matrix (rows <= columns) or on a batch of them."""
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + _EPSILON)
    a, b, c = _COEFFICIENTS
    for _ in range(_NUM_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def is_conv_kernel(weights: nn.Parameter) -> bool:
    """Whether these are convolution kernels over more than one input channel."""
    return weights.ndim == 4 and weights.shape[1] > 1


def normalized_kernels(network: nn.Module) -> set[Tensor]:
    """The kernels whose norm means nothing: a normalisation directly follows the convolution.

    What follows is read from the order of the layers in the module that holds them. Of a last
    layer, or before one that is neither pooling nor a normalisation, a kernel is not normalised.
    """
    normalized: set[Tensor] = set()
    others: set[Tensor] = set()
    for module in network.modules():
        layers = [layer for layer in module.children() if not isinstance(layer, _POOLING)]
        for layer, following in zip_longest(layers, layers[1:]):
            if isinstance(layer, nn.Conv2d):
                is_normalized = _removes_scale(following, has_bias=layer.bias is not None)
                (normalized if is_normalized else others).add(layer.weight)
    return normalized - others


def _removes_scale(layer: nn.Module | None, *, has_bias: bool) -> bool:
    """Whether the scale of a kernel before a layer changes nothing while the network trains.

    Statistics of single channels remove a bias of the convolution; those of several channels don't,
    and then the kernel's scale beside the bias matters.
    """
    if isinstance(layer, nn.modules.batchnorm._NormBase):  # noqa: SLF001 - batch and instance norm
        return True
    return isinstance(layer, nn.GroupNorm | nn.LayerNorm) and not has_bias
