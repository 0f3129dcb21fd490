"""Random changes to a batch of images, as tensors; every image draws its own.

Batches are float N x 1 x H x W on the 0..1 grey scale. Numbers are drawn on the CPU from the
generator that is passed, so that a GPU sees the same changes as a CPU.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from fer_models.training.config import AugmentConfig

_ERASE_SIDE = (0.15, 0.4)  # of the image's side
_GREY = 0.5


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """A changed copy of the batch: geometry first, then light, then erasing; stays in 0..1."""
    images = _warp(images, config, generator)
    images = _relight(images, config, generator)
    if config.erase > 0:
        images = _erase(images, config.erase, generator)
    return images


def _warp(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    num = len(images)
    angle = _symmetric(num, generator) * math.radians(config.rotate_deg)
    zoom = 1 + _symmetric(num, generator) * config.scale
    # affine_grid's coordinates run from -1 to 1, so a share of the side is twice that.
    shift = torch.stack([_symmetric(num, generator), _symmetric(num, generator)], 1)
    shift = shift * 2 * config.shift
    mirror = torch.where(torch.rand(num, generator=generator) < 0.5, -1.0, 1.0)
    if not config.flip:
        mirror = torch.ones(num)
    if not (config.flip or config.rotate_deg or config.scale or config.shift):
        return images
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    rows = [
        torch.stack([cos * mirror, -sin, shift[:, 0]], 1),
        torch.stack([sin * mirror, cos, shift[:, 1]], 1),
    ]
    return sampled(images, torch.stack(rows, 1).to(images.device))


def sampled(images: Tensor, matrices: Tensor) -> Tensor:
    """Images as seen through affine maps N x 2 x 3 of their coordinates (-1..1), edges mirrored."""
    grid = _affine_grid(matrices, *images.shape[-2:])
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _affine_grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Sampling points N x H x W x 2 of N x 2 x 3 matrices.

    The sums of torch's affine_grid (align_corners=False) written as broadcasts: on a CPU its
    product of many tiny matrices took four times as long as the sampling itself.
    """
    across = (2 * torch.arange(width, device=matrices.device) + 1) / width - 1
    down = ((2 * torch.arange(height, device=matrices.device) + 1) / height - 1)[:, None]
    parts = matrices[:, :, :, None, None]
    points = (parts[:, :, 1] * down + parts[:, :, 2]) + parts[:, :, 0] * across
    return points.permute(0, 2, 3, 1)


def _relight(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    num = len(images)
    shape = (num, 1, 1, 1)
    brightness = _symmetric(num, generator).view(shape).to(images.device) * config.brightness
    contrast = 1 + _symmetric(num, generator).view(shape).to(images.device) * config.contrast
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean + brightness).clamp(0, 1)


def _erase(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    num, _, height, width = images.shape
    hit = torch.rand(num, generator=generator) < probability
    low, high = _ERASE_SIDE
    sides = low + (high - low) * torch.rand(num, 2, generator=generator)
    starts = torch.rand(num, 2, generator=generator) * (1 - sides)
    rows = _inside(height, starts[:, 0], sides[:, 0])
    columns = _inside(width, starts[:, 1], sides[:, 1])
    box = rows[:, :, None] & columns[:, None, :] & hit[:, None, None]
    return images.masked_fill(box[:, None].to(images.device), _GREY)


def _inside(length: int, starts: Tensor, sides: Tensor) -> Tensor:
    centres = (torch.arange(length) + 0.5) / length
    return (centres >= starts[:, None]) & (centres < (starts + sides)[:, None])


def _symmetric(num: int, generator: torch.Generator) -> Tensor:
    """Uniform numbers in -1..1."""
    return torch.rand(num, generator=generator) * 2 - 1
