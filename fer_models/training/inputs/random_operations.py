"""Random operations on images as tensors: TrivialAugment, or RandAugment with several in a row.

TrivialAugment (Mueller, Hutter 2021, arXiv:2103.10158) applies one operation of random strength to
every image; RandAugment (Cubuk et al. 2020, arXiv:1909.13719) several. The operations and ranges
are TrivialAugment's wide ones, as far as they make sense for grey images.

Not torchvision's: they take one draw for a whole batch, from torch's global generator.

B images of a batch.
"""

import torch
from torch import Tensor
from torch.nn import functional

_AFFINE = ("shear_x", "shear_y", "shift_x", "shift_y", "rotate")
_LEVELS = ("identity", "brightness", "contrast", "sharpness", "posterize", "solarize", "equalize")
_OPERATIONS = (*_AFFINE, *_LEVELS)
_SHEAR = 0.5
_SHIFT = 0.5
_ROTATION = 1.2  # radians
_FACTOR = 0.9
_WHITE = 255
_BITS = 6  # fewest that posterize drops are 0, most are 6 of 8


def random_operations(images: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Apply `count` operations in a row to each image, float B x C x H x W (0..1)."""
    for _ in range(count):
        kinds = torch.randint(len(_OPERATIONS), (len(images),), generator=generator)
        strengths = torch.rand(len(images), generator=generator) * 2 - 1
        images = _apply(images, kinds.to(images.device), strengths.to(images.device))
    return images.clamp(0, 1)


def _apply(images: Tensor, kinds: Tensor, strengths: Tensor) -> Tensor:
    changed = images.clone()
    affine = kinds < len(_AFFINE)
    if bool(affine.any()):
        changed[affine] = _affine(images[affine], kinds[affine], strengths[affine])
    for kind, name in enumerate(_OPERATIONS):
        chosen = kinds == kind
        if name in _CHANGES and bool(chosen.any()):
            strength = strengths[chosen].view(-1, 1, 1, 1)
            changed[chosen] = _CHANGES[name](images[chosen], strength)
    return changed


def _affine(images: Tensor, kinds: Tensor, strengths: Tensor) -> Tensor:
    matrices = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    shares = [torch.where(kinds == kind, strengths, 0.0) for kind in range(len(_AFFINE))]
    shear_x, shear_y, shift_x, shift_y, rotation = shares
    angle = rotation * _ROTATION
    matrices[:, 0, 0] = matrices[:, 1, 1] = torch.cos(angle)
    matrices[:, 0, 1] = shear_x * _SHEAR - torch.sin(angle)
    matrices[:, 1, 0] = shear_y * _SHEAR + torch.sin(angle)
    matrices[:, 0, 2] = shift_x * _SHIFT
    matrices[:, 1, 2] = shift_y * _SHIFT
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )


def _brightness(images: Tensor, strength: Tensor) -> Tensor:
    return images * (1 + strength * _FACTOR)


def _contrast(images: Tensor, strength: Tensor) -> Tensor:
    return torch.lerp(images.mean((1, 2, 3), keepdim=True), images, 1 + strength * _FACTOR)


def _sharpness(images: Tensor, strength: Tensor) -> Tensor:
    blurred = functional.avg_pool2d(
        functional.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1
    )
    return torch.lerp(blurred, images, 1 + strength * _FACTOR)


def _posterize(images: Tensor, strength: Tensor) -> Tensor:
    step = 2.0 ** (strength.abs() * _BITS).round()
    return ((images * _WHITE / step).floor() * step / _WHITE).clamp(0, 1)


def _solarize(images: Tensor, strength: Tensor) -> Tensor:
    return torch.where(images >= 1 - strength.abs(), 1 - images, images)


def _equalize(images: Tensor, strength: Tensor) -> Tensor:
    """Histograms of each channel made flat; equal levels stay equal, the strength has no effect."""
    del strength
    levels_BCP = (images.clamp(0, 1) * _WHITE).round().flatten(2)
    ordered_BCP = levels_BCP.sort(2).values
    up_to_BCP = torch.searchsorted(ordered_BCP, levels_BCP, right=True)
    darkest_BC1 = torch.searchsorted(ordered_BCP, ordered_BCP[..., :1].contiguous(), right=True)
    others_BC1 = levels_BCP.shape[2] - darkest_BC1
    equalized_BCP = ((up_to_BCP - darkest_BC1) / others_BC1.clamp(min=1)).to(images.dtype)
    return torch.where(others_BC1 > 0, equalized_BCP, levels_BCP / _WHITE).view_as(images)


_CHANGES = {
    "brightness": _brightness,
    "contrast": _contrast,
    "sharpness": _sharpness,
    "posterize": _posterize,
    "solarize": _solarize,
    "equalize": _equalize,
}
