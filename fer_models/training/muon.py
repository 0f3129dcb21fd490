"""Muon: momentum whose matrices are made orthogonal, for the kernels of convolutions.

Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers"; the weights are held at a fixed
norm as in airbench94_muon. torch's own Muon takes matrices only, no convolution kernels.
"""

from collections.abc import Iterable
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
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                if group["orthogonal"]:
                    self._turn(weights, weights.grad, group)
                else:
                    self._scale(weights, weights.grad, group)
        return loss

    def _turn(self, weights: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weights]
        if not state:
            state["momentum"] = torch.zeros_like(weights)
        momentum = state["momentum"].mul_(group["momentum"]).add_(gradient)
        update = gradient.add(momentum, alpha=group["momentum"])
        update = orthogonalised(update.flatten(1)).view_as(update)
        weights.mul_(len(weights) ** 0.5 / (weights.norm() + _EPSILON))
        weights.add_(update, alpha=-group["lr"])

    def _scale(self, weights: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        """AdamW (Loshchilov, Hutter 2019)."""
        state = self.state[weights]
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = torch.zeros_like(weights), torch.zeros_like(weights)
        state["step"] += 1
        first, second = _BETAS
        mean = state["mean"].lerp_(gradient, 1 - first)
        square = state["square"].lerp_(gradient.square(), 1 - second)
        mean = mean / (1 - first ** state["step"])
        square = square / (1 - second ** state["step"])
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        weights.addcdiv_(mean, square.sqrt().add_(_ADAM_EPSILON), value=-group["lr"])


def orthogonalised(matrix: Tensor) -> Tensor:
    """The matrix with its large singular values brought near 1 (0.5 to 1.4), float32."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x: Tensor = (matrix.T if is_tall else matrix).bfloat16()
    x = x / (x.norm() + _EPSILON)
    a, b, c = _COEFFICIENTS
    for _ in range(_NUM_ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return (x.T if is_tall else x).float()


def is_kernel(weights: nn.Parameter) -> bool:
    """Whether these are the kernels of a convolution over several channels."""
    return weights.ndim == 4 and weights.shape[1] > 1
