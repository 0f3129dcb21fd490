"""A model against the votes of FER+'s ten taggers (Barsoum et al. 2016).

N images, K classes, V votes. The choices are the K classes (votes for one class are added up) and
each vote that is no class (unknown, not a face, ...).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.classes.class_list import ClassList
from fer_models.evaluation.intervals import share_of
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.evaluation.results import CrowdMetrics, Share

SURE_SHARE = 0.7
"""Share of the votes for one class from which the crowd is sure: 7 of FER+'s 10."""


@dataclass(frozen=True)
class CrowdChoices:
    """What the taggers saw in N images.

    Attributes:
        voted: whether there are votes.
        shares_NC: 1 / number of the choices with the most votes for each of these, else 0; the K
            classes, then the votes that are no class.
        majority: class with more votes than any other choice; -1 if there is none.
        sure: whether one class has at least `SURE_SHARE` of the votes.
    """

    voted: npt.NDArray[np.bool_]
    shares_NC: Floats
    majority: Ints
    sure: npt.NDArray[np.bool_]


def crowd_choices(votes_NV: npt.NDArray[np.integer], classes: ClassList) -> CrowdChoices:
    """Count votes, in the order of `VOTE_COLUMNS`; negative without votes.

    Example:
        crowd = crowd_choices(votes_NV, classes)
        agreed = crowd.majority == labels
    """
    vote_classes = classes.vote_classes()
    counts_NV = np.maximum(votes_NV.astype(np.int64), 0)
    total = counts_NV.sum(axis=1)
    by_class_NK = counts_NV @ (vote_classes[:, None] == np.arange(len(classes))).astype(np.int64)
    choices_NC = np.concatenate([by_class_NK, counts_NV[:, vote_classes < 0]], axis=1)
    is_most_NC = choices_NC == choices_NC.max(axis=1, keepdims=True)
    num_most, winner = is_most_NC.sum(axis=1), choices_NC.argmax(axis=1)
    decided = (total > 0) & (num_most == 1) & (winner < len(classes))
    return CrowdChoices(
        voted=total > 0,
        shares_NC=is_most_NC / num_most[:, None],
        majority=np.where(decided, winner, -1).astype(np.int64),
        sure=(total > 0) & (by_class_NK.max(axis=1) >= SURE_SHARE * total),
    )


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
    lacking = set(range(len(classes))) - set(classes.vote_classes().tolist())
    crowd = crowd_choices(votes_NV, classes)
    voted, decided = crowd.voted, crowd.majority >= 0
    if lacking or not voted.any():
        return None
    answers = probs_NK.argmax(axis=1)
    correct, unsure = answers == labels_N, voted & ~crowd.sure

    def share(hits_N: npt.NDArray[np.generic], of: npt.NDArray[np.bool_]) -> Share | None:
        return share_of(hits_N[of], groups_N[of], confidence)

    oracle = share(crowd.shares_NC[np.arange(len(labels_N)), labels_N], voted)
    assert oracle is not None
    return CrowdMetrics(
        n=int(voted.sum()),
        agreement=share(answers == crowd.majority, decided),
        sure=share(correct, crowd.sure),
        split=share(correct, unsure),
        oracle=oracle,
    )
