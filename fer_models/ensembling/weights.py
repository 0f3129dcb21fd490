"""Weights of a mixture of fixed members, by expectation-maximisation.

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

    The cross-entropy of a mixture is convex in its weights, and EM (Dempster et al. 1977) walks
    down to its minimum from equal weights, without a step size. It stops when the optimality gap,
    log of the largest responsibility ratio, proves that no weights are better by `tolerance` nats.

    Args:
        label_probs_NM: each member's probability of each image's label, 0..1.
        tolerance: nats above the minimum that are accepted, before rounding.

    Returns:
        M weights >= 0 that sum to 1, rounded to four decimals, so that they are the same on every
        machine; a member that adds nothing gets 0.

    Raises:
        DataError: there is no image or no member.
    """
    num_images, num_members = label_probs_NM.shape
    if num_images == 0 or num_members == 0:
        raise DataError(
            f"expected images and members to weigh, got {num_images} images, {num_members} members"
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


def mix(member_probs_MNK: Floats, weights: Floats) -> Floats:
    """The weighted mean of the members' probabilities, N x K."""
    mixed: Floats = np.tensordot(weights, member_probs_MNK, axes=1)
    return mixed


def _rounded(weights: Floats) -> Floats:
    units = 10**_DECIMALS
    counts = np.floor(weights * units + 0.5)
    # Whatever rounding left over goes to the largest weight, where it matters least.
    counts[counts.argmax()] += units - counts.sum()
    rounded: Floats = counts / units
    return rounded
