"""Augmented copies of the training images, which are used in turn while teachers predict them once.

B images of a batch, N training images, K classes, V vote columns of FER+.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fer_models.training.config import AugmentConfig
from fer_models.training.inputs.augment import augment
from fer_models.training.inputs.mixing import as_probabilities

COPY_CHUNK = 4096
"""Images of a copy that are augmented together, and whose predictions are kept together."""
_WHITE = 255


class Teaching(Protocol):
    """Predicts what a student should answer."""

    def __call__(self, images: Tensor) -> Tensor:
        """Probabilities B x K of images B x C x H x W on the 0..1 scale."""

    def of_copy(self, images: Tensor) -> Tensor:
        """Probabilities N x K of a copy, uint8 N x H x W (x 3)."""


class Copy(NamedTuple):
    """A copy of the training images (uint8 N x H x W (x 3)) and their targets N x K (+ V)."""

    images: Tensor
    targets: Tensor


def augmented_levels(images: Tensor, config: AugmentConfig, generator: torch.Generator) -> Tensor:
    """Images B x C x H x W (0..1), augmented but not mirrored, as uint8 B x H x W (x C)."""
    unmirrored = config.model_copy(update={"flip": False})
    levels = (augment(images, unmirrored, generator) * _WHITE).round_().to(torch.uint8)
    return levels.squeeze(1) if levels.shape[1] == 1 else levels.permute(0, 2, 3, 1)


def mirrored(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images B x C x H x W, each mirrored left to right with probability 0.5."""
    chosen = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(chosen.to(images.device).view(-1, 1, 1, 1), images.flip(-1), images)


def taught(targets: Tensor, probs: Tensor, weight: float) -> Tensor:
    """Targets with the teachers' probabilities mixed into their class part.

    Args:
        targets: class numbers B, or rows B x K or B x (K + V).
        probs: of the teachers, B x K.
        weight: of the teachers, 0..1.
    """
    num_classes = probs.shape[1]
    rows = as_probabilities(targets, num_classes)
    classes = torch.lerp(rows[:, :num_classes], probs.to(rows.dtype), weight)
    return torch.cat([classes, rows[:, num_classes:]], 1)
