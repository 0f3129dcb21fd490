"""Sampling of training images: class weights, the order of an epoch, balanced subsets.

N images, K classes.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.data import Labels, SplitImages


def class_weights(labels: Labels, num_classes: int) -> np.ndarray:
    """Weight of each of the K classes, inversely proportional to its number of images.

    The mean over the images is 1; a class without images gets 0.
    """
    from sklearn.utils.class_weight import compute_class_weight  # slow, and rarely needed

    classes = np.unique(labels)
    weights = np.zeros(num_classes)
    weights[classes] = compute_class_weight("balanced", classes=classes, y=labels)
    return weights


def epoch_order(labels: Labels, config: TrainingConfig, generator: torch.Generator) -> Tensor:
    """Positions of the N images in the order of one epoch.

    With balanced sampling they are drawn with replacement, every class equally often.
    """
    if config.class_weighting != "sampling":
        return torch.randperm(len(labels), generator=generator)
    probabilities = torch.from_numpy(class_weights(labels, int(labels.max()) + 1)[labels])
    return torch.multinomial(probabilities, len(labels), replacement=True, generator=generator)


def balanced_subset(split: SplitImages, max_images: int, seed: int) -> SplitImages:
    """At most `max_images` images, as class-balanced as possible; their order is kept.

    If a class has too few images, the others fill its quota. scikit-learn's stratified splits keep
    the class proportions instead of balancing them.
    """
    if len(split) <= max_images:
        return split
    rng = np.random.default_rng(seed)
    quotas = _class_quotas(np.bincount(split.labels), max_images)
    chosen = [
        rng.choice(np.flatnonzero(split.labels == label), count, replace=False)
        for label, count in enumerate(quotas)
    ]
    positions = np.sort(np.concatenate(chosen))
    return split.at(positions)


def _class_quotas(counts: npt.NDArray[np.int64], total: int) -> npt.NDArray[np.int64]:
    """Images to take per class; the smallest quotas are as large as possible."""
    quotas = np.zeros_like(counts)
    while (left := total - int(quotas.sum())) > 0:
        available = np.flatnonzero(counts > quotas)
        each = max(1, left // len(available))
        for label in available[:left]:
            quotas[label] += min(each, counts[label] - quotas[label])
    return quotas
