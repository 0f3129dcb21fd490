"""Optimisers and learning-rate schedules in plain torch, with or without Lightning."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from fer_models.training.config import TrainingConfig
from fer_models.training.optim.muon import Muon, is_conv_kernel, normalized_kernels

_START_FACTOR = 0.04
_END_FACTOR = 1e-4
_EPSILON = 1e-9


def build_schedule(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, num_steps: int
) -> LambdaLR:
    """Build the configured schedule, to be stepped `num_steps` times in total."""
    shape, warmup, decay = config.schedule, config.warmup_fraction, config.decay_fraction
    return LambdaLR(optimizer, lambda step: lr_factor(shape, step, num_steps, warmup, decay))


def lr_factor(
    shape: str, step: int, num_steps: int, warmup_fraction: float, decay_fraction: float = 1.0
) -> float:
    """Fraction (0..1) of the peak learning rate: linear warm-up, then decay as `shape` says.

    Not torch's OneCycleLR: it divides by zero if the warm-up is one step long, and it decays by
    cosine or linearly only. The shape is that of arXiv:1803.09820, without its momentum cycle.

    Args:
        shape: cosine (one cycle, Smith 2018), linear (to zero), trapezoid (constant, then linear
            to zero) or constant.
        step: 0 for the first step.
        num_steps: length of the schedule.
        warmup_fraction: fraction of the steps spent on warm-up.
        decay_fraction: fraction of the steps spent on the decay of a trapezoid.
    """
    peak = max(1.0, warmup_fraction * num_steps)
    if step < peak:
        return _START_FACTOR + (1 - _START_FACTOR) * (step + 1) / (peak + 1)
    start = max(peak, (1 - decay_fraction) * num_steps) if shape == "trapezoid" else peak
    down = min(1.0, max(0.0, step - start) / max(_EPSILON, num_steps - start))
    if shape == "constant":
        return 1.0
    factor = 1 - down if shape in ("linear", "trapezoid") else 0.5 * (1 + math.cos(math.pi * down))
    return _END_FACTOR + (1 - _END_FACTOR) * factor


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Build the configured optimiser over all trainable weights of the network."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if config.optimizer == "muon":
        others = _decay_groups(
            [p for p in parameters if not is_conv_kernel(p)], config.weight_decay
        )
        return Muon(
            [p for p in parameters if is_conv_kernel(p)],
            others,
            learning_rate=config.learning_rate,
            other_learning_rate=config.other_learning_rate,
            momentum=config.momentum,
            normalized=normalized_kernels(network),
        )
    groups = _decay_groups(parameters, config.weight_decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
        )
    adamw = torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.momentum, 0.999), fused=True
    )
    # Lightning refuses to clip gradients if the optimiser unscales them itself, as fused AdamW says
    # it does. With the flag off, the gradient scaler unscales them.
    adamw._step_supports_amp_scaling = False  # noqa: SLF001
    return adamw


def restore_config_hyperparams(
    optimizer: torch.optim.Optimizer, schedule: LambdaLR, network: nn.Module, config: TrainingConfig
) -> None:
    """Overwrite the hyper-parameters that a checkpoint restored with those of the config.

    Moments and position in the schedule stay, so a training can continue with another learning
    rate. Nothing changes if the checkpoint was written with the same config.
    """
    fresh = build_optimizer(network, config)
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, wanted in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        group.update({name: value for name, value in wanted.items() if name != "params"})
        group["initial_lr"] = wanted["lr"]
        group["lr"] = wanted["lr"] * factor
    schedule.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]


def _decay_groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    # Normalisation weights and biases are not decayed: it would only shrink their scale.
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
