"""Mixup and cutmix: images of a batch mixed in pairs, and their targets with them.

B images of a batch, K classes.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fer_models.labels import NUM_CLASSES
from fer_models.training.config import AugmentConfig


def mix_batch(
    images: Tensor, targets: Tensor, config: AugmentConfig, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019) of a batch, where the config asks.

    Args:
        images: float B x 1 x H x W.
        targets: class numbers B or probabilities B x K.
        config: whether, and how strongly.
        generator: of the CPU; draws the same for every device.

    Returns:
        Images and targets; the targets are probabilities B x K if anything was blended.
    """
    if config.cutmix > 0 and float(torch.rand((), generator=generator)) < config.cutmix:
        return _cut(images, targets, generator)
    if config.mixup > 0:
        return _mix(images, targets, config.mixup, generator)
    return images, targets


def as_probabilities(targets: Tensor) -> Tensor:
    """Targets as probabilities B x K."""
    return targets if targets.ndim == 2 else functional.one_hot(targets, NUM_CLASSES).float()


def _mix(
    images: Tensor, targets: Tensor, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    num = len(images)
    share = _beta(alpha, num, generator).to(images.device)
    other = torch.randperm(num, generator=generator).to(images.device)
    blended = torch.lerp(images[other], images, share.view(-1, 1, 1, 1))
    probabilities = as_probabilities(targets)
    return blended, torch.lerp(probabilities[other], probabilities, share.view(-1, 1))


def _cut(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    num, _, height, width = images.shape
    area, across, down = torch.rand(3, generator=generator).tolist()
    side = area**0.5
    rows = _box_span(height, side, down)
    columns = _box_span(width, side, across)
    other = torch.randperm(num, generator=generator).to(images.device)
    cut = images.clone()
    cut[:, :, rows, columns] = images[other][:, :, rows, columns]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    probabilities = as_probabilities(targets)
    return cut, torch.lerp(probabilities, probabilities[other], share)


def _box_span(length: int, share: float, place: float) -> slice:
    """A part of `share` of the length, its middle at `place` (0..1), cut off at the ends."""
    middle, half = place * length, share * length / 2
    return slice(round(max(0.0, middle - half)), round(min(float(length), middle + half)))


def _beta(alpha: float, num: int, generator: torch.Generator) -> Tensor:
    """Draws from Beta(alpha, alpha), seeded by the generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, num)).float()
