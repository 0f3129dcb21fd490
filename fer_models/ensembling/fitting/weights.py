"""Weights of a mixture of fixed members by expectation-maximisation (EM).

N images, M members, K classes.
"""

import numpy as np
import numpy.typing as npt

from fer_models.errors import DataError

_SMALLEST_PROBABILITY = 1e-15
_MAX_ROUNDS = 20_000
_DECIMALS = 4

Floats = npt.NDArray[np.float64]


def mixture_weights(label_probs_NM: Floats, tolerance: float = 1e-6) -> Floats:
    """The weights on the simplex that minimise the cross-entropy of the weighted mean.

    The cross-entropy of a mixture is convex in its weights; EM (Dempster et al. 1977) starts from
    equal weights and converges to the minimum without a step size. It stops when the optimality
    gap, the log of the largest responsibility ratio, proves that no weights are better by more
    than `tolerance` nats. Own code because EM is ten lines and its rounded result is the same on
    every machine, which a general optimiser (scipy's SLSQP) does not guarantee.

    Args:
        label_probs_NM: each member's probability of each image's label, 0..1.
        tolerance: accepted distance to the minimum in nats, before rounding.

    Returns:
        M weights >= 0 that sum to 1, rounded to four decimals so that they are the same on every
        machine. A member that does not reduce the loss gets 0.

    Raises:
        DataError: there are no images or no members.
    """
    num_images, num_members = label_probs_NM.shape
    if num_images == 0 or num_members == 0:
        raise DataError(
            f"expected at least one image and one member, got {num_images} images and "
            f"{num_members} members"
        )
    probs_NM = np.maximum(label_probs_NM, _SMALLEST_PROBABILITY)
    weights = np.full(num_members, 1 / num_members)
    for _ in range(_MAX_ROUNDS):
        ratio = (probs_NM / (probs_NM @ weights)[:, None]).mean(axis=0)
        if np.log(ratio.max()) <= tolerance:
            break
        weights = weights * ratio
        weights /= weights.sum()
    return _rounded(weights)


def _rounded(weights: Floats) -> Floats:
    units = 10**_DECIMALS
    counts = np.floor(weights * units + 0.5)
    # The rounding remainder goes to the largest weight, where it matters least.
    counts[counts.argmax()] += units - counts.sum()
    rounded: Floats = counts / units
    return rounded
