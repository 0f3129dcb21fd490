"""Optimisers and the learning-rate schedule: plain torch, for Lightning and for the quick model."""

import math

import torch
from torch import nn

from fer_models.training.config import TrainingConfig

_START_SHARE = 0.04
_END_SHARE = 1e-4


def one_cycle(step: int, num_steps: int, warmup_fraction: float) -> float:
    """Share of the peak learning rate at a step: linear up, cosine down (Smith 2018).

    torch's OneCycleLR divides by zero where the way up is one step long (1803.09820's shape
    is kept, its momentum cycle is not).
    """
    peak = max(1.0, warmup_fraction * num_steps)
    if step < peak:
        return _START_SHARE + (1 - _START_SHARE) * (step + 1) / (peak + 1)
    down = min(1.0, (step - peak) / max(1.0, num_steps - peak))
    return _END_SHARE + (1 - _END_SHARE) * 0.5 * (1 + math.cos(math.pi * down))


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that the config names, over all weights of the network."""
    # Norms and biases are not decayed: it would only shrink their scale.
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=config.learning_rate)
