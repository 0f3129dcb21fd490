"""How unsure a model is of each face, from probabilities alone; higher is less sure.

N faces, K classes, M members; probabilities are 0..1 and sum to 1 over the classes.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_SMALLEST = 1e-12


def margin_uncertainty(probs_NK: Floats) -> Floats:
    """1 minus the margin between the two most probable classes, N values in 0..1.

    Source: Scheffer et al. 2001, Active hidden Markov models for information extraction.
    """
    top_two = np.partition(probs_NK, -2, axis=1)[:, -2:]
    uncertainty: Floats = 1.0 - (top_two[:, 1] - top_two[:, 0])
    return uncertainty


def entropy(probs_NK: Floats) -> Floats:
    """Entropy of the predictions in nats, N values in 0..ln K (Shannon 1948)."""
    logs = np.log(np.maximum(probs_NK, _SMALLEST))
    found: Floats = -(probs_NK * logs).sum(axis=1)
    return found


def disagreement(probs_MNK: Floats) -> Floats:
    """What the label would say about the members, in nats: N values in 0..ln min(M, K).

    The entropy of the mean prediction less the mean entropy of the members: high only where they
    are sure, of different classes. Sources: Houlsby et al. 2011, Bayesian active learning for
    classification; for ensembles Beluch et al. 2018, The power of ensembles for active learning in
    image classification.
    """
    mean_of_entropies = np.mean([entropy(probs_NK) for probs_NK in probs_MNK], axis=0)
    found: Floats = np.maximum(entropy(probs_MNK.mean(axis=0)) - mean_of_entropies, 0.0)
    return found
