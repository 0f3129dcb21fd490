"""Muon: momentum whose matrices are made orthogonal, for the kernels of convolutions.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers"; the weights are held at a fixed
norm as in airbench94_muon. torch's own Muon takes matrices only, no convolution kernels.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Newton-Schulz iteration x -> a x + (b xx' + c (xx')**2) x: singular values go to about 1.
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NUM_ITERATIONS = 3
_EPSILON = 1e-7
_BETAS = (0.9, 0.999)
_ADAM_EPSILON = 1e-8


class Muon(torch.optim.Optimizer):
    """Orthogonalised Nesterov momentum for kernels, AdamW for all other weights.

    A kernel's update has about the same length in every direction, whatever the gradient, so rare
    directions are learned as fast as common ones. Kernels are brought back to length
    sqrt(output channels) in each step and need no weight decay.
    """

    def __init__(
        self,
        kernels: Iterable[nn.Parameter],
        others: Iterable[dict[str, Any]],
        *,
        learning_rate: float,
        other_learning_rate: float,
        momentum: float,
    ) -> None:
        """Take the kernels, and groups of other weights with their `weight_decay`."""
        groups = [
            {"params": list(kernels), "orthogonal": True, "lr": learning_rate},
            *({"orthogonal": False, "lr": other_learning_rate, **group} for group in others),
        ]
        groups = [group for group in groups if group["params"]]
        super().__init__(groups, {"momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step; the gradients are left as they are."""
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
                self._turn(weights, gradients, group)
            else:
                self._scale(weights, gradients, group)
        return loss

    def _turn(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
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
        turned = (
            orthogonalised_together(matrices)
            if matrices[0].is_cuda
            else [orthogonalised(matrix) for matrix in matrices]
        )
        for one, update in zip(weights, turned, strict=True):
            one.mul_(len(one) ** 0.5 / (one.norm() + _EPSILON))
            one.add_(update.view_as(one), alpha=-group["lr"])

    def _scale(self, weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> None:
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
        first_shares = [1 - first ** s["step"] for s in states]
        second_shares = [1 - second ** s["step"] for s in states]
        updates = torch._foreach_div(means, first_shares)  # noqa: SLF001
        scales = torch._foreach_div(squares, second_shares)  # noqa: SLF001
        torch._foreach_sqrt_(scales)
        torch._foreach_add_(scales, _ADAM_EPSILON)
        torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_addcdiv_(weights, updates, scales, value=-group["lr"])


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with its large singular values brought near 1 (0.5 to 1.4), float32."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = _turned((matrix.T if is_tall else matrix).bfloat16())
    return (x.T if is_tall else x).float()


def orthogonalised_together(matrices: Sequence[Tensor]) -> list[Tensor]:
    """As `orthogonalised`, all at once, filled up with zeros, which stay zeros.

    For GPUs, which take longer to be sent the few operations of a small matrix than to do them.
    """
    wide = [one.T if one.shape[0] > one.shape[1] else one for one in matrices]
    rows, columns = (max(lengths) for lengths in zip(*(one.shape for one in wide), strict=True))
    stack = wide[0].new_zeros(len(wide), rows, columns, dtype=torch.bfloat16)
    for part, one in zip(stack, wide, strict=True):
        part[: one.shape[0], : one.shape[1]] = one
    return [
        (part.T if one.shape[0] > one.shape[1] else part)[: one.shape[0], : one.shape[1]]
        for part, one in zip(_turned(stack).float(), matrices, strict=True)
    ]


def _turned(x: Tensor) -> Tensor:
    """The iteration on one wide matrix, or on a stack of them."""
    x = x / (torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True) + _EPSILON)
    a, b, c = _COEFFICIENTS
    for _ in range(_NUM_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


def is_kernel(weights: nn.Parameter) -> bool:
    """Whether these are the kernels of a convolution over several channels."""
    return weights.ndim == 4 and weights.shape[1] > 1
