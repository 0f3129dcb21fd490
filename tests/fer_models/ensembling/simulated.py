"""Simulated members: noisy probabilities whose errors have a part in common."""

from collections.abc import Sequence

import numpy as np

from fer_models.combination.rules import Floats
from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.crossfit import Fitting, cross_fit_member, cross_fit_method
from fer_models.ensembling.images import Images
from fer_models.ensembling.scores import Ints
from fer_models.ensembling.selection import Contender, Selection

PRIOR = np.array([0.14, 0.02, 0.14, 0.25, 0.17, 0.11, 0.17])
PARAMETERS = 1000


def draw_members(
    rng: np.random.Generator, num_images: int, skills: Sequence[float], own_noise: float = 0.4
) -> tuple[Floats, Ints]:
    """Probabilities M x N x 7 and labels.

    A skill of 1.8 is about 64 % accuracy. All members share noise of variance 1 in their logits;
    the smaller their own noise, the less an ensemble gains.
    """
    num_classes = len(PRIOR)
    labels_N = rng.choice(num_classes, num_images, p=PRIOR / PRIOR.sum()).astype(np.int64)
    shared_NK = rng.normal(size=(num_images, num_classes))
    members = []
    for skill in skills:
        logits_NK = shared_NK + own_noise * rng.normal(size=shared_NK.shape)
        logits_NK[np.arange(num_images), labels_N] += skill
        exp_NK = np.exp(1.5 * (logits_NK - logits_NK.max(axis=1, keepdims=True)))
        members.append(exp_NK / exp_NK.sum(axis=1, keepdims=True))
    return np.array(members), labels_N


def images_of(probs_MNK: Floats, labels_N: Ints, folds: int = 5) -> Images:
    """Images without copies, in folds by turns."""
    numbers = np.arange(len(labels_N))
    return Images(labels_N, numbers, numbers % folds, probs_MNK)


def selection_of(images: Images, config: EnsembleConfig) -> Selection:
    """The selection among all members, then all methods."""
    num_members = len(images.probs_MNK)
    fitting = Fitting(images)
    singles = [
        Contender(cross_fit_member(fitting, number), PARAMETERS, f"member-{number}")
        for number in range(num_members)
    ]
    ensembles = [
        Contender(
            cross_fit_method(fitting, method, config.choose_by), num_members * PARAMETERS, method
        )
        for method in config.methods
    ]
    return Selection(singles + ensembles, images, config)
