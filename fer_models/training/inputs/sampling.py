"""Which training images are seen: class weights, the order of an epoch, smaller subsets.

N images, K classes.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fer_models.labels import NUM_CLASSES
from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.data import Labels, SplitImages


def class_weights(labels: Labels) -> np.ndarray:
    """Weight of each of the K classes: 1 on average over the images, the rarer the larger.

    A class without images gets 0.
    """
    counts = np.bincount(labels, minlength=NUM_CLASSES).astype(np.float64)
    present = counts > 0
    weights = np.zeros(NUM_CLASSES)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return weights


def epoch_order(labels: Labels, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Positions of the N images in the order of one epoch.

    With balanced sampling they are drawn with replacement, each class as often as any other.
    """
    if config.class_weighting != "sampling":
        return torch.randperm(len(labels), generator=generator)
    chances = torch.from_numpy(class_weights(labels)[labels])
    return torch.multinomial(chances, len(labels), replacement=True, generator=generator)


def balanced_subset(split: SplitImages, max_images: int, seed: int) -> SplitImages:
    """At most `max_images` images, as many of each class as there are and fit; order is kept.

    A class with too few images leaves its share to the others.
    """
    if len(split) <= max_images:
        return split
    rng = np.random.default_rng(seed)
    shares = _class_quotas(np.bincount(split.labels), max_images)
    chosen = [
        rng.choice(np.flatnonzero(split.labels == label), count, replace=False)
        for label, count in enumerate(shares)
    ]
    positions = np.sort(np.concatenate(chosen))
    return split.at(positions)


def _class_quotas(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """How many to take of each class so that the smallest shares are as large as they can be."""
    shares = np.zeros_like(counts)
    while (left := total - int(shares.sum())) > 0:
        room = np.flatnonzero(counts > shares)
        each = max(1, left // len(room))
        for label in room[:left]:
            shares[label] += min(each, counts[label] - shares[label])
    return shares
