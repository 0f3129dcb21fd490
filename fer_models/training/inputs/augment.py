"""Random augmentation of a batch of images as tensors, drawn separately for every image.

Batches are float N x 1 x H x W on the 0..1 grey scale. Numbers are drawn on the CPU from the
generator passed in, so that a GPU applies the same changes as a CPU.

Not torchvision.transforms.v2: its affine, jitter and erasing transforms apply one draw to a whole
batch and take it from torch's global generator.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from fer_models.training.config import AugmentConfig
from fer_models.training.inputs.random_operations import random_operations

_ERASE_SIDE = (0.15, 0.4)  # of the image's side
_GREY = 0.5


def augment(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """An augmented copy: affine, brightness and contrast, operations, erasing; stays in 0..1."""
    images = _random_affine(images, config, generator)
    images = _color_jitter(images, config, generator)
    if config.operations:
        images = random_operations(images, config.operations, generator)
    if config.erase > 0:
        images = _random_erase(images, config.erase, generator)
    return images


def _random_affine(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    rotation, scaling, shift_x, shift_y, side = _draws(5, images, generator)
    if not (config.flip or config.rotate_deg or config.scale or config.shift):
        return images
    angle = rotation * math.radians(config.rotate_deg)
    scale = 1 + scaling * config.scale
    # The grid's coordinates run from -1 to 1, so a fraction of the side is twice that.
    reach = 2 * config.shift
    mirror = torch.where(side < 0, -1.0, 1.0) if config.flip else torch.ones_like(side)
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [
        torch.stack([cos * mirror, -sin, shift_x * reach], 1),
        torch.stack([sin * mirror, cos, shift_y * reach], 1),
    ]
    grid = _affine_grid(torch.stack(rows, 1), *images.shape[-2:])
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _affine_grid(matrices: Tensor, height: int, width: int) -> Tensor:
    """Sampling points N x H x W x 2 of N x 2 x 3 matrices.

    Equals torch's affine_grid (align_corners=False), written as broadcasts: on a CPU its product
    of many tiny matrices took four times as long as the sampling itself.
    """
    across = (2 * torch.arange(width, device=matrices.device) + 1) / width - 1
    down = ((2 * torch.arange(height, device=matrices.device) + 1) / height - 1)[:, None]
    parts = matrices[:, :, :, None, None]
    points = (parts[:, :, 1] * down + parts[:, :, 2]) + parts[:, :, 0] * across
    return points.permute(0, 2, 3, 1)


def _color_jitter(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    brighter, stronger = (draw.view(-1, 1, 1, 1) for draw in _draws(2, images, generator))
    brightness = brighter * config.brightness
    contrast = 1 + stronger * config.contrast
    mean = images.mean((1, 2, 3), keepdim=True)
    return ((images - mean) * contrast + mean + brightness).clamp(0, 1)


def _random_erase(images: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    num, _, height, width = images.shape
    erased = torch.rand(num, generator=generator) < probability
    low, high = _ERASE_SIDE
    sides = low + (high - low) * torch.rand(num, 2, generator=generator)
    starts = torch.rand(num, 2, generator=generator) * (1 - sides)
    rows = _inside(height, starts[:, 0], sides[:, 0])
    columns = _inside(width, starts[:, 1], sides[:, 1])
    box = rows[:, :, None] & columns[:, None, :] & erased[:, None, None]
    return images.masked_fill(box[:, None].to(images.device), _GREY)


def _inside(length: int, starts: Tensor, sides: Tensor) -> Tensor:
    centres = (torch.arange(length) + 0.5) / length
    return (centres >= starts[:, None]) & (centres < (starts + sides)[:, None])


def _draws(count: int, images: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
    """`count` tensors of uniform numbers in -1..1, one per image, on the images' device."""
    drawn = [torch.rand(len(images), generator=generator) for _ in range(count)]
    return (torch.stack(drawn).to(images.device) * 2 - 1).unbind()
