"""Temperature scaling (Guo et al. 2017): one number that makes probabilities fit the accuracy.

N images, K classes.
"""

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.metrics import Floats, Ints, check_predictions

SMALLEST_PROBABILITY = 1e-7
"""Probabilities are clipped here before their logarithm; float32 rows sum to 1 within as much."""
TEMPERATURES = "temperatures"
"""In the metadata of a network: what calibrates its probabilities, by number of views."""
MIN_IMAGES = 100
MIN_ERRORS = 10
"""Misclassified images; without any, the best temperature would make every answer certain."""
_COLDEST, _HOTTEST = 0.05, 20.0
_DECIMALS = 4


def fit_temperature(probs_NK: Floats, labels_N: Ints) -> float:
    """The temperature that minimises the cross-entropy of the labels.

    Above 1 the probabilities were too confident. Rounded to four decimals, so that it is the same
    on every machine; the search is limited to 0.05..20.

    Args:
        probs_NK: probabilities, rows sum to 1.
        labels_N: class numbers 0..K-1.

    Raises:
        DataError: there are no images, or the arrays are no probabilities and labels.
    """
    from scipy.optimize import minimize_scalar

    check_predictions(probs_NK, labels_N)
    log_probs_NK = _log(probs_NK)
    rows = np.arange(len(labels_N))

    def loss(log_temperature: float) -> float:
        scaled_NK = log_probs_NK / np.exp(log_temperature)
        peaks_N = scaled_NK.max(axis=1)
        totals_N = np.log(np.exp(scaled_NK - peaks_N[:, None]).sum(axis=1)) + peaks_N
        return float((totals_N - scaled_NK[rows, labels_N]).mean())

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return round(float(np.exp(found.x)), _DECIMALS)


def reliable_temperature(probs_NK: Floats, labels_N: Ints) -> float | None:
    """The temperature that fits these probabilities to the labels, see `fit_temperature`.

    None for fewer than 100 images, or fewer than 10 that are misclassified.
    """
    num_errors = int((probs_NK.argmax(axis=1) != labels_N).sum())
    if len(labels_N) < MIN_IMAGES or num_errors < MIN_ERRORS:
        return None
    return fit_temperature(probs_NK, labels_N)


def apply_temperature(probs_NK: Floats, temperature: float) -> npt.NDArray[np.float64]:
    """Probabilities at a temperature: powers 1/T, normalised; T = 1 changes nothing.

    The order of the classes stays, so accuracy does not change.

    Example:
        temperature = fit_temperature(validation_NK, labels)
        calibrated_NK = apply_temperature(test_NK, temperature)
    """
    if temperature == 1:
        return probs_NK.astype(np.float64)
    scaled_NK = _log(probs_NK) / temperature
    powers_NK = np.exp(scaled_NK - scaled_NK.max(axis=1, keepdims=True))
    probabilities: npt.NDArray[np.float64] = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    return probabilities


def at_temperature(
    probs_NK: npt.NDArray[np.float32], temperature: float | None
) -> npt.NDArray[np.float32]:
    """Probabilities at a temperature, float32; None: as they are."""
    if temperature is None:
        return probs_NK
    return apply_temperature(probs_NK, temperature).astype(np.float32)


def _log(probs_NK: Floats) -> npt.NDArray[np.float64]:
    clipped_NK = np.maximum(probs_NK.astype(np.float64), SMALLEST_PROBABILITY)
    logs_NK: npt.NDArray[np.float64] = np.log(clipped_NK)
    return logs_NK
