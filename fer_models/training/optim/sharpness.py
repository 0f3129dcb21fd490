"""Sharpness-aware minimisation (SAM, Foret et al. 2021, arXiv:2010.01412).

The gradients of a step are those at the point nearby where the loss rises fastest, so that training
prefers flat minima. Two passes a step; running statistics of batch normalisation move in both.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

_EPSILON = 1e-12


def at_neighbour(
    parameters: Iterable[nn.Parameter], radius: float, closure: Callable[[], Any]
) -> Callable[[], Any]:
    """A closure that computes the gradients `radius` up the present ones, and leaves the weights.

    Args:
        parameters: weights with their present gradients.
        radius: length of the step to the neighbour, over all weights together.
        closure: computes loss and gradients of the weights as they are.
    """
    moved = [weight for weight in parameters if weight.grad is not None]

    def closure_at_neighbour() -> Any:
        before = [weight.detach().clone() for weight in moved]
        gradients = [weight.grad for weight in moved if weight.grad is not None]
        norm = torch.linalg.vector_norm(
            torch.stack([torch.linalg.vector_norm(gradient.float()) for gradient in gradients])
        )
        with torch.no_grad():
            for weight, gradient in zip(moved, gradients, strict=True):
                weight.add_(gradient * (radius / (norm + _EPSILON)))
        loss = closure()
        with torch.no_grad():
            for weight, value in zip(moved, before, strict=True):
                weight.copy_(value)
        return loss

    return closure_at_neighbour
