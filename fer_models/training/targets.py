"""What a network is to answer: labels and votes as probabilities, blended batches, class weights.

N images, B of a batch, K classes, V vote columns of FER+.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fer_models.labels import NUM_CLASSES
from fer_models.training.config import AugmentConfig, TrainingConfig
from fer_models.training.data import Labels, SplitImages, class_votes


def training_targets(split: SplitImages, config: TrainingConfig) -> Tensor:
    """Class numbers N; probabilities N x K with votes or teachers; N x (K + V) with a vote head.

    The probabilities are (1 - w) times the label and w times the share of the FER+ votes; an image
    without votes keeps its label. Teachers then take their share of that. The V columns are the
    shares of all votes, or zeros.
    """
    labels_N = torch.from_numpy(split.labels)
    has_votes = split.votes_NV is not None and (config.vote_weight or config.vote_head_weight)
    if not has_votes and split.taught_NK is None:
        return labels_N
    targets_NK = functional.one_hot(labels_N, NUM_CLASSES).float()
    if split.votes_NV is not None and config.vote_weight:
        shares_NK = _shares(torch.from_numpy(class_votes(split.votes_NV)))
        voted_N1 = shares_NK.sum(1, keepdim=True) > 0
        soft_NK = torch.where(voted_N1, shares_NK, targets_NK)
        targets_NK = torch.lerp(targets_NK, soft_NK, config.vote_weight)
    if split.taught_NK is not None:
        taught_NK = torch.from_numpy(split.taught_NK)
        targets_NK = torch.lerp(targets_NK, taught_NK, config.teacher_weight)
    if split.votes_NV is None or not config.vote_head_weight:
        return targets_NK
    return torch.cat([targets_NK, _shares(torch.from_numpy(split.votes_NV))], 1)


def class_part(targets: Tensor) -> Tensor:
    """What of the targets is about the classes: numbers B, or probabilities B x K."""
    return targets if targets.ndim == 1 else targets[:, :NUM_CLASSES]


def _shares(votes: Tensor) -> Tensor:
    """Votes as shares that sum to 1; a row without votes stays zero."""
    return votes / votes.sum(1, keepdim=True).clamp(min=1)


def class_shares(labels: Labels) -> np.ndarray:
    """Weight of each of the K classes: 1 on average over the images, the rarer the larger.

    A class without images gets 0.
    """
    counts = np.bincount(labels, minlength=NUM_CLASSES).astype(np.float64)
    present = counts > 0
    weights = np.zeros(NUM_CLASSES)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def loss_weights(labels: Labels, config: TrainingConfig) -> Tensor | None:
    """Weights K of the classes in the loss; None where all count alike."""
    if config.class_weighting != "loss":
        return None
    return torch.from_numpy(class_shares(labels)).float()


def epoch_order(labels: Labels, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Positions of the N images in the order of one epoch.

    With balanced sampling they are drawn with replacement, each class as often as any other.
    """
    if config.class_weighting != "sampling":
        return torch.randperm(len(labels), generator=generator)
    chances = torch.from_numpy(class_shares(labels)[labels])
    return torch.multinomial(chances, len(labels), replacement=True, generator=generator)


def blend(
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
    rows = _stretch(height, side, down)
    columns = _stretch(width, side, across)
    other = torch.randperm(num, generator=generator).to(images.device)
    cut = images.clone()
    cut[:, :, rows, columns] = images[other][:, :, rows, columns]
    share = (rows.stop - rows.start) * (columns.stop - columns.start) / (height * width)
    probabilities = as_probabilities(targets)
    return cut, torch.lerp(probabilities, probabilities[other], share)


def _stretch(length: int, share: float, place: float) -> slice:
    """A part of `share` of the length, its middle at `place` (0..1), cut off at the ends."""
    middle, half = place * length, share * length / 2
    return slice(round(max(0.0, middle - half)), round(min(float(length), middle + half)))


def _beta(alpha: float, num: int, generator: torch.Generator) -> Tensor:
    """Draws from Beta(alpha, alpha), seeded by the generator."""
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, num)).float()
