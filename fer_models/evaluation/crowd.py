"""A model against the votes of FER+'s ten taggers (Barsoum et al. 2016).

N images, K classes, V votes. The choices are the K classes (votes for one class are added up) and
each vote that is no class (unknown, not a face, ...).
"""

import numpy as np
import numpy.typing as npt

from fer_models.classes.class_list import ClassList
from fer_models.evaluation.intervals import share_of
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.evaluation.results import CrowdMetrics

SURE_SHARE = 0.7
"""Share of the votes for one class from which the crowd is sure: 7 of FER+'s 10."""


def crowd_metrics(
    probs_NK: Floats,
    labels_N: Ints,
    votes_NV: npt.NDArray[np.integer],
    groups_N: Ints,
    classes: ClassList,
    confidence: float,
) -> CrowdMetrics | None:
    """Compare a model's answers and the labels with the votes.

    The oracle always answers the crowd's majority: mean_i([y_i in M_i] / |M_i|), with the label y_i
    and the choices M_i that share the most votes. It guesses among ties, and is wrong where the
    majority is no class. That is the ceiling for whoever sees faces as the crowd does. A model can
    exceed it, because it also learns habits of the labels that the crowd does not share.

    Args:
        probs_NK: the model's probabilities.
        labels_N: the labels.
        votes_NV: the votes in the order of `VOTE_COLUMNS`; negative without votes.
        groups_N: duplicate group of each image.
        classes: what the labels number.
        confidence: level of the intervals.

    Returns:
        None without votes, or if the taggers could not vote for one of the classes.
    """
    vote_classes = classes.vote_classes()
    counts_NV = np.maximum(votes_NV.astype(np.int64), 0)
    voted = counts_NV.sum(axis=1) > 0
    if set(range(len(classes))) - set(vote_classes.tolist()) or not voted.any():
        return None
    counts_NV, labels, groups = counts_NV[voted], labels_N[voted], groups_N[voted]
    answers = probs_NK[voted].argmax(axis=1)
    by_class_NK = counts_NV @ (vote_classes[:, None] == np.arange(len(classes))).astype(np.int64)
    choices = np.concatenate([by_class_NK, counts_NV[:, vote_classes < 0]], axis=1)
    is_most = choices == choices.max(axis=1, keepdims=True)
    num_most = is_most.sum(axis=1)
    majority = choices.argmax(axis=1)
    decided = (num_most == 1) & (majority < len(classes))
    sure = by_class_NK.max(axis=1) >= SURE_SHARE * counts_NV.sum(axis=1)
    correct, expected = answers == labels, is_most[np.arange(len(labels)), labels] / num_most
    oracle = share_of(expected, groups, confidence)
    assert oracle is not None
    return CrowdMetrics(
        n=int(voted.sum()),
        agreement=share_of((answers == majority)[decided], groups[decided], confidence),
        sure=share_of(correct[sure], groups[sure], confidence),
        split=share_of(correct[~sure], groups[~sure], confidence),
        oracle=oracle,
    )
