"""Targets of a training: labels, votes and teachers as probabilities; class weights of the loss.

N images, B of a batch, K classes, V vote columns of FER+.
"""

import torch
from torch import Tensor
from torch.nn import functional

from fer_models.training.config import TrainingConfig
from fer_models.training.inputs.data import SplitImages, class_votes
from fer_models.training.inputs.sampling import class_weights


def training_targets(split: SplitImages, config: TrainingConfig) -> Tensor:
    """Targets of all training images, to be passed to `TrainBatches`.

    Class numbers N without votes or teachers, else probabilities N x K: (1 - vote_weight) times the
    label plus vote_weight times the vote shares (an image without votes keeps its label), then
    mixed with the teachers' probabilities by teacher_weight. With an auxiliary head N x (K + V);
    the V columns are the shares of all votes, or zeros.
    """
    labels_N = torch.from_numpy(split.labels)
    has_votes = split.votes_NV is not None and (config.vote_weight or config.auxiliary_head_weight)
    if not has_votes and split.teacher_probs_NK is None:
        return labels_N
    targets_NK = functional.one_hot(labels_N, len(split.classes)).float()
    if split.votes_NV is not None and config.vote_weight:
        shares_NK = _shares(torch.from_numpy(class_votes(split.votes_NV, split.classes)))
        voted_N1 = shares_NK.sum(1, keepdim=True) > 0
        soft_NK = torch.where(voted_N1, shares_NK, targets_NK)
        targets_NK = torch.lerp(targets_NK, soft_NK, config.vote_weight)
    if split.teacher_probs_NK is not None:
        teacher_probs_NK = torch.from_numpy(split.teacher_probs_NK)
        targets_NK = torch.lerp(targets_NK, teacher_probs_NK, config.teacher_weight)
    if split.votes_NV is None or not config.auxiliary_head_weight:
        return targets_NK
    return torch.cat([targets_NK, _shares(torch.from_numpy(split.votes_NV))], 1)


def class_part(targets: Tensor, num_classes: int) -> Tensor:
    """The class part of targets: class numbers B or probabilities B x K."""
    return targets if targets.ndim == 1 else targets[:, :num_classes]


def _shares(votes: Tensor) -> Tensor:
    """Votes divided by their row sum; a row without votes stays zero."""
    return votes / votes.sum(1, keepdim=True).clamp(min=1)


def loss_weights(split: SplitImages, config: TrainingConfig) -> Tensor | None:
    """Class weights K of the loss; None if all classes weigh the same."""
    if config.class_weighting != "loss":
        return None
    return torch.from_numpy(class_weights(split.labels, len(split.classes))).float()
