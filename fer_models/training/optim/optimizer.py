"""Optimisers and learning-rate schedules: plain torch, for Lightning and for the quick model."""

import math
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from fer_models.training.config import TrainingConfig
from fer_models.training.optim.muon import Muon, is_kernel

_START_SHARE = 0.04
_END_SHARE = 1e-4
_EPSILON = 1e-9


def build_schedule(
    optimizer: torch.optim.Optimizer, config: TrainingConfig, num_steps: int
) -> LambdaLR:
    """The schedule that the config names, stepped `num_steps` times in all."""
    shape, warmup = config.schedule, config.warmup_fraction
    return LambdaLR(optimizer, lambda step: schedule_share(shape, step, num_steps, warmup))


def schedule_share(shape: str, step: int, num_steps: int, warmup_fraction: float) -> float:
    """Share (0..1) of the peak learning rate at a step: linear up, then down as `shape` says.

    Args:
        shape: cosine (one cycle, Smith 2018), linear (to zero) or constant.
        step: 0 for the first one.
        num_steps: length of the schedule.
        warmup_fraction: share of the steps on the way up.

    torch's OneCycleLR divides by zero where the way up is one step long (1803.09820's shape
    is kept, its momentum cycle is not).
    """
    peak = max(1.0, warmup_fraction * num_steps)
    if step < peak:
        return _START_SHARE + (1 - _START_SHARE) * (step + 1) / (peak + 1)
    down = min(1.0, (step - peak) / max(_EPSILON, num_steps - peak))
    if shape == "constant":
        return 1.0
    left = 1 - down if shape == "linear" else 0.5 * (1 + math.cos(math.pi * down))
    return _END_SHARE + (1 - _END_SHARE) * left


def build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser that the config names, over all weights of the network that are trained."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if config.optimizer == "muon":
        others = _groups([p for p in parameters if not is_kernel(p)], config.weight_decay)
        return Muon(
            [p for p in parameters if is_kernel(p)],
            others,
            learning_rate=config.learning_rate,
            other_learning_rate=config.other_learning_rate,
            momentum=config.momentum,
        )
    groups = _groups(parameters, config.weight_decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, nesterov=config.momentum > 0
        )
    adamw = torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=(config.momentum, 0.999), fused=True
    )
    # Lightning refuses to clip gradients that the optimiser itself scales back from half precision;
    # told not to, it leaves that to the scaler.
    adamw._step_supports_amp_scaling = False  # noqa: SLF001
    return adamw


def restore_config_hyperparams(
    optimizer: torch.optim.Optimizer, schedule: LambdaLR, network: nn.Module, config: TrainingConfig
) -> None:
    """Put the config's settings into an optimiser that a checkpoint brought back with its own.

    Its moments and its place in the schedule stay, so a training can go on with another learning
    rate. Nothing changes where the checkpoint was made with the same config.
    """
    fresh = build_optimizer(network, config)
    share = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, wanted in zip(optimizer.param_groups, fresh.param_groups, strict=True):
        group.update({name: value for name, value in wanted.items() if name != "params"})
        group["initial_lr"] = wanted["lr"]
        group["lr"] = wanted["lr"] * share
    schedule.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]


def _groups(parameters: list[nn.Parameter], weight_decay: float) -> list[dict[str, Any]]:
    # Norms and biases are not decayed: it would only shrink their scale.
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
