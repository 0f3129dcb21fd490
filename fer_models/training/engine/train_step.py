"""One optimiser step in plain torch, for trainings shorter than Lightning's start-up."""

import torch
from torch import Tensor, nn

from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.batches import Batch
from fer_models.training.objective.losses import class_loss
from fer_models.training.objective.targets import class_part
from fer_models.training.runtime import resolve_precision


def train_step(
    network: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    weights_K: Tensor | None = None,
) -> float:
    """Train on one batch; returns its label-smoothed loss before the step (may not be finite)."""
    inputs, targets = batch
    with autocast(config, inputs.device):
        logits = network(inputs)
    loss = class_loss(logits.float(), class_part(targets, logits.shape[1]), config, weights_K)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if config.gradient_clip:
        nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
    optimizer.step()
    return float(loss.detach())


def autocast(config: TrainingConfig, device: torch.device) -> torch.autocast:
    """Autocast context with the configured precision."""
    is_half = resolve_precision(config, device) != "32-true"
    return torch.autocast(device.type, torch.bfloat16, enabled=is_half)
