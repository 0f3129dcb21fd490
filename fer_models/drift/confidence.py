"""Accuracy estimated without labels, from a model's confidence.

M validation images, N recent images, K classes; probabilities are 0..1.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_models.drift.statistics import mean_drop_p_value

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_SMALLEST_PROBABILITY = 1e-12
_TEMPERATURES = (0.05, 20.0)


class EstimatedAccuracy(NamedTuple):
    """An estimate for the recent images, and its drop below the measured one; 0..1."""

    validation: float
    estimate: float
    p_value: float
    """One-sided: a drop of this size by chance."""

    @property
    def drop(self) -> float:
        """Validation accuracy minus the estimate; negative if the estimate is higher."""
        return self.validation - self.estimate


def fit_temperature(probs_MK: Floats, labels_M: Ints) -> float:
    """The temperature that minimises the log loss on validation (Guo et al. 2017).

    Above 1 for an overconfident model. Probabilities stand for logits, which differ from their
    logarithms by a constant only.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels_M))

    def log_loss(log_temperature: float) -> float:
        scaled = scale_probabilities(probs_MK, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(scaled[rows, labels_M], _SMALLEST_PROBABILITY)).mean())

    found = minimize_scalar(log_loss, bounds=tuple(np.log(_TEMPERATURES)), method="bounded")
    return float(np.exp(found.x))


def scale_probabilities(probs_NK: Floats, temperature: float) -> Floats:
    """Probabilities after temperature scaling, N x K."""
    logits = np.log(np.maximum(probs_NK, _SMALLEST_PROBABILITY)) / temperature
    exps = np.exp(logits - logits.max(axis=1, keepdims=True))
    scaled: Floats = exps / exps.sum(axis=1, keepdims=True)
    return scaled


def difference_of_confidences(
    confidence_M: Floats, confidence_N: Floats, accuracy: float
) -> EstimatedAccuracy:
    """Validation accuracy less the drop of the mean confidence (Guillory et al. 2021)."""
    drop = float(confidence_M.mean() - confidence_N.mean())
    return EstimatedAccuracy(
        validation=accuracy,
        estimate=float(np.clip(accuracy - drop, 0.0, 1.0)),
        p_value=mean_drop_p_value(confidence_M, confidence_N),
    )


def average_thresholded_confidence(
    confidence_M: Floats, confidence_N: Floats, accuracy: float
) -> EstimatedAccuracy:
    """Share of recent images above the confidence that `accuracy` of the validation images reach.

    Source: Garg et al. 2022, Leveraging unlabeled data to predict out-of-distribution performance.
    """
    num_wrong = round((1 - accuracy) * len(confidence_M))
    # One more than the highest: no image is correct.
    ordered = np.append(np.sort(confidence_M), np.inf)
    above_M, above_N = (values >= ordered[num_wrong] for values in (confidence_M, confidence_N))
    return EstimatedAccuracy(
        validation=accuracy,
        estimate=float(above_N.mean()),
        p_value=mean_drop_p_value(above_M.astype(np.float64), above_N.astype(np.float64)),
    )
