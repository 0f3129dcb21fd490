"""Stacking: a multinomial logistic regression on the members' log-probabilities.

M members, N images, K classes, F = M * K features.
"""

import numpy as np

from fer_models.combination.rules import StackingRule, stacking_features
from fer_models.ensembling.scores import Floats, Ints
from fer_models.errors import ConfigError

# Inverse strength of the L2 penalty. Fixed, because choosing it would need one more level of
# cross-validation; docs/ensembling.md has the measurement behind it.
_INVERSE_PENALTY = 0.01
_TOLERANCE = 1e-8
_DECIMALS = 4


def fit_stacking(probs_MNK: Floats, labels_N: Ints) -> StackingRule:
    """The regression with an L2 penalty, fitted by scikit-learn.

    One more image per class, of which every member is half sure, is added to the fit: each class
    is present then, also one that the images lack. Newton's method ends within rounding of the
    minimum, so that the coefficients, rounded to four decimals, are the same on every machine.

    Args:
        probs_MNK: the members' probabilities.
        labels_N: class numbers 0..K-1.

    Raises:
        ConfigError: scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise ConfigError(
            "ensemble.methods: stacking needs scikit-learn, which is not installed; install it, "
            "or leave stacking out of ensemble.methods"
        ) from error
    from threadpoolctl import threadpool_limits

    num_members, _, num_classes = probs_MNK.shape
    half_sure_KK = np.full((num_classes, num_classes), 0.5 / (num_classes - 1))
    np.fill_diagonal(half_sure_KK, 0.5)
    added_MKK = np.broadcast_to(half_sure_KK, (num_members, num_classes, num_classes))
    features_NF = stacking_features(np.concatenate([probs_MNK, added_MKK], axis=1))
    model = LogisticRegression(C=_INVERSE_PENALTY, solver="newton-cholesky", tol=_TOLERANCE)
    with threadpool_limits(1):  # more threads only wait for each other in systems this small
        model.fit(features_NF, np.concatenate([labels_N, np.arange(num_classes)]))
    coefficients_KF, intercepts_K = _per_class(model.coef_, model.intercept_)
    coefficients = coefficients_KF.round(_DECIMALS).reshape(num_classes, num_members, num_classes)
    return StackingRule(
        coefficients=coefficients.tolist(), intercepts=intercepts_K.round(_DECIMALS).tolist()
    )


def _per_class(coefficients: Floats, intercepts: Floats) -> tuple[Floats, Floats]:
    """One row per class, also for two classes, of which scikit-learn gives only the second."""
    if len(coefficients) > 1:
        return coefficients, intercepts
    return (
        np.concatenate([-coefficients, coefficients]) / 2,
        np.concatenate([-intercepts, intercepts]) / 2,
    )
