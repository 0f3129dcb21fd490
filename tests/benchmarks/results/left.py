"""What is left: where a model errs, how sure the crowd is there, and how much of it are labels.

N images, K classes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.bootstrap import GroupBootstrap
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.crowd import crowd_choices, crowd_metrics
from fer_models.evaluation.evaluate import scaled_out_of_fold
from fer_models.evaluation.intervals import share_of
from fer_models.evaluation.predictions import Predictions
from fer_models.evaluation.results import Share, SplitMetrics
from fer_models.evaluation.scoring import ScoredImages, score_split
from fer_models.evaluation.temperature import fit_temperature
from tests.benchmarks.results.entrants import Entrant
from tests.benchmarks.results.faces import NO_NEAR_COPIES, OFFICIAL, LabelledFaces

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
CONFIG = EvaluationConfig()

BY_CROWD, BY_BOTH, BY_NEITHER, UNDECIDED = (
    "right by the crowd, wrong by the label",
    "wrong by both, who agree",
    "wrong by both, who disagree",
    "no majority for a class",
)
"""Kinds of errors (wrong by the label), which exclude each other."""


@dataclass(frozen=True)
class Noise:
    """A model, the labels and the crowd's majority. Shares of N images with votes, or of errors."""

    label_is_majority: Share
    by_label: Share | None
    by_majority: Share | None
    where_they_agree: Share | None
    where_they_differ: Share | None
    majority_where_they_differ: Share | None
    errors: dict[str, Share]
    errors_of_sure_crowd: Share | None
    """Of the errors on images where the crowd is sure: the model answers what the crowd sees."""


@dataclass(frozen=True)
class Left:
    """All of it, for one model."""

    entrant: Entrant
    metrics: SplitMetrics
    temperature: float
    near_copies: Share | None
    """Accuracy on the images of which a copy, exact or near, is in Training."""
    noise: Noise | None
    """None without votes."""


def what_is_left(entrant: Entrant, faces: LabelledFaces) -> Left:
    """Everything about the errors of a model on the whole split.

    The calibration error after temperature scaling is out of fold: each image is scaled by a
    temperature that was fitted on four fifths of the others.
    """
    probs_NK, labels, groups = entrant.probs_NK, faces.labels, faces.groups
    scaled_NK = scaled_out_of_fold(
        Predictions(np.arange(len(labels)), labels, probs_NK),
        groups,
        CONFIG.calibration_folds,
        CONFIG.bootstrap_seed,
    )
    images = ScoredImages(labels, groups, probs_NK, scaled_NK)
    bootstrap = GroupBootstrap(groups, CONFIG.bootstrap_replicates, CONFIG.bootstrap_seed)
    crowd = crowd_metrics(
        probs_NK, labels, faces.votes_NV, groups, faces.classes, CONFIG.confidence
    )
    copied = ~faces.sets.get(NO_NEAR_COPIES, faces.sets[OFFICIAL])
    return Left(
        entrant,
        score_split(images, bootstrap, CONFIG, faces.classes.names, crowd),
        fit_temperature(probs_NK, labels),
        share_of(images.correct[copied], groups[copied], CONFIG.confidence),
        None if crowd is None else label_noise(entrant, faces),
    )


def error_kinds(answers: Ints, labels: Ints, majority: Ints) -> dict[str, Bools]:
    """The errors of each kind, N booleans each; together they are all errors."""
    wrong, decided = answers != labels, majority >= 0
    return {
        BY_CROWD: wrong & decided & (answers == majority),
        BY_BOTH: wrong & decided & (majority == labels),
        BY_NEITHER: wrong & decided & (majority != labels) & (answers != majority),
        UNDECIDED: wrong & ~decided,
    }


def label_noise(entrant: Entrant, faces: LabelledFaces) -> Noise:
    """How far labels that the crowd does not share explain the errors."""
    crowd = crowd_choices(faces.votes_NV, faces.classes)
    answers, labels = entrant.probs_NK.argmax(axis=1), faces.labels
    decided = crowd.majority >= 0
    agree, differ = (
        decided & (crowd.majority == labels),
        decided & (crowd.majority != labels),
    )
    by_label, by_majority = answers == labels, answers == crowd.majority
    wrong = ~by_label & crowd.voted

    def share(hits: Bools, of: Bools) -> Share | None:
        return share_of(hits[of], faces.groups[of], CONFIG.confidence)

    all_of_them = share(agree, crowd.voted)
    assert all_of_them is not None
    kinds = error_kinds(answers, labels, crowd.majority)
    errors = {name: share(kind, wrong) for name, kind in kinds.items()}
    return Noise(
        label_is_majority=all_of_them,
        by_label=share(by_label, decided),
        by_majority=share(by_majority, decided),
        where_they_agree=share(by_label, agree),
        where_they_differ=share(by_label, differ),
        majority_where_they_differ=share(by_majority, differ),
        errors={name: one for name, one in errors.items() if one is not None},
        errors_of_sure_crowd=share(kinds[BY_CROWD], wrong & crowd.sure),
    )
