"""Mixup and cutmix: the images of a batch are mixed in pairs, and so are their targets.

Not torchvision's MixUp and CutMix (nor timm's Mixup): they draw from global generators and use one
mixing weight and a rolled batch as partners, so that trained weights would change.

B images of a batch, K classes.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fer_models.training.config import AugmentConfig


def mix_batch(
    images: Tensor,
    targets: Tensor,
    config: AugmentConfig,
    generator: torch.Generator,
    num_classes: int,
) -> tuple[Tensor, Tensor]:
    """Apply mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019), or neither, as configured.

    Args:
        images: float B x 1 x H x W.
        targets: class numbers B, or one row per image: B x K or B x (K + V).
        config: probability of cutmix and strength of mixup.
        generator: a CPU generator, so that every device draws the same numbers.
        num_classes: K.

    Returns:
        Images and targets; mixed targets are always probabilities.
    """
    if config.cutmix > 0 and float(torch.rand((), generator=generator)) < config.cutmix:
        return _cutmix(images, as_probabilities(targets, num_classes), generator)
    if config.mixup > 0:
        return _mixup(images, as_probabilities(targets, num_classes), config.mixup, generator)
    return images, targets


def as_probabilities(targets: Tensor, num_classes: int) -> Tensor:
    """Class numbers B as one-hot rows B x K; rows stay as they are."""
    return targets if targets.ndim == 2 else functional.one_hot(targets, num_classes).float()


def _mixup(
    images: Tensor, probabilities: Tensor, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    num = len(images)
    weight = _beta(alpha, num, generator).to(images.device)
    partner = torch.randperm(num, generator=generator).to(images.device)
    mixed = torch.lerp(images[partner], images, weight.view(-1, 1, 1, 1))
    return mixed, torch.lerp(probabilities[partner], probabilities, weight.view(-1, 1))


def _cutmix(
    images: Tensor, probabilities: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    num, _, height, width = images.shape
    area, centre_x, centre_y = torch.rand(3, generator=generator).tolist()
    side = area**0.5
    rows = _box_span(height, side, centre_y)
    columns = _box_span(width, side, centre_x)
    partner = torch.randperm(num, generator=generator).to(images.device)
    mixed = images.clone()
    mixed[:, :, rows, columns] = images[partner][:, :, rows, columns]
    weight = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    return mixed, torch.lerp(probabilities, probabilities[partner], weight)


def _box_span(length: int, fraction: float, centre: float) -> slice:
    """A span of `fraction` of the length around `centre` (0..1), clipped at both ends."""
    middle, half = centre * length, fraction * length / 2
    return slice(round(max(0.0, middle - half)), round(min(float(length), middle + half)))


def _beta(alpha: float, num: int, generator: torch.Generator) -> Tensor:
    """Samples of Beta(alpha, alpha), seeded from the generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, num)).float()
