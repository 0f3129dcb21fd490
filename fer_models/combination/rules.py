"""Rules that combine the probabilities of several members; plain numbers and numpy alone.

M members, N images, K classes; probabilities are 0..1, rows sum to 1. Sums run over members and
features one by one, in float64: a product of matrices would add in another order on another
processor.
"""

from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig

Floats = npt.NDArray[np.float64]

# Log-probabilities below this one say nothing more about an image, but would dominate a fit.
SMALLEST_PROBABILITY = 1e-6


class MeanRule(FrozenConfig):
    """The weighted mean of the members' probabilities."""

    kind: Literal["mean"] = "mean"
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = Field(min_length=1)
    """One weight per member; they sum to 1."""

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        if abs(sum(self.weights) - 1) > 1e-9:
            raise ValueError(f"expected weights that sum to 1, got a sum of {sum(self.weights)}")
        return self

    @property
    def num_members(self) -> int:
        """Number of members."""
        return len(self.weights)

    def combine(self, probs_MNK: Floats) -> Floats:
        """The weighted mean, N x K."""
        mean_NK = np.zeros(probs_MNK.shape[1:])
        for weight, probs_NK in zip(self.weights, probs_MNK, strict=True):
            mean_NK += weight * probs_NK
        return mean_NK


class MajorityRule(FrozenConfig):
    """One vote per member for its most probable class; the mean probability breaks ties.

    The probability of a class is (its votes + its mean probability) / (M + 1): the members'
    mean counts as one more vote, divided among the classes. A lead of one whole vote always
    decides, and with equal votes the higher mean probability does.
    """

    kind: Literal["majority"] = "majority"
    num_members: int = Field(ge=1)

    def combine(self, probs_MNK: Floats) -> Floats:
        """The shares of the votes, N x K."""
        num_members, num_images, _ = probs_MNK.shape
        votes_NK = np.zeros(probs_MNK.shape[1:])
        mean_NK = np.zeros(probs_MNK.shape[1:])
        for probs_NK in probs_MNK:
            votes_NK[np.arange(num_images), probs_NK.argmax(axis=1)] += 1
            mean_NK += probs_NK / num_members
        shares_NK: Floats = (votes_NK + mean_NK) / (num_members + 1)
        return shares_NK


class StackingRule(FrozenConfig):
    """A multinomial logistic regression on the members' log-probabilities."""

    kind: Literal["stacking"] = "stacking"
    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    """K x M x K: of the scored class, by member and class of the log-probability."""
    intercepts: tuple[float, ...]
    """One per class."""

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        found = np.array(self.coefficients)  # a ragged one is a ValueError of numpy
        num_classes = len(self.intercepts)
        expected = (num_classes, self.num_members, num_classes)
        if found.shape != expected or not np.isfinite(found).all():
            raise ValueError(f"expected finite coefficients of shape {expected}, got {found.shape}")
        return self

    @property
    def num_members(self) -> int:
        """Number of members."""
        return len(self.coefficients[0]) if self.coefficients else 0

    def combine(self, probs_MNK: Floats) -> Floats:
        """The softmax of the scores, N x K."""
        features_NF = stacking_features(probs_MNK)
        coefficients_KF = np.array(self.coefficients).reshape(len(self.intercepts), -1)
        scores_NK = np.tile(np.array(self.intercepts), (len(features_NF), 1))
        for feature_N, coefficients_K in zip(features_NF.T, coefficients_KF.T, strict=True):
            scores_NK += feature_N[:, None] * coefficients_K
        exp_NK = np.exp(scores_NK - scores_NK.max(axis=1, keepdims=True))
        probs_NK: Floats = exp_NK / exp_NK.sum(axis=1, keepdims=True)
        return probs_NK


Rule = Annotated[MeanRule | MajorityRule | StackingRule, Field(discriminator="kind")]


def stacking_features(probs_MNK: Floats) -> Floats:
    """The members' log-probabilities, N x (M * K); those of a member have the mean 0.

    Probabilities below 1e-6 count as 1e-6.
    """
    logs_MNK = np.log(np.maximum(probs_MNK, SMALLEST_PROBABILITY))
    logs_MNK -= logs_MNK.mean(axis=2, keepdims=True)
    num_members, num_images, num_classes = logs_MNK.shape
    return logs_MNK.transpose(1, 0, 2).reshape(num_images, num_members * num_classes)
