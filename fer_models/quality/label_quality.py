"""Label quality from out-of-fold probabilities.

N images, K classes. Confident learning finds the label issues (Northcutt, Jiang & Chuang 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70; cleanlab implements it). A
ratio of two probabilities ranks them: on FER2013 it placed labels that FER+ contradicts higher than
cleanlab's own scores did (docs/data-quality.md).
"""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
_DECIMALS = 6
# Makes differences between much smaller probabilities, which are mostly noise, irrelevant.
_SMOOTHING = 0.02


def label_quality(labels: Integers, probabilities: Floats) -> tuple[Floats, Integers]:
    """Quality of each label relative to the most likely other class.

    With p the probability of the label and o that of the most likely other class, the quality is
    (p + 0.02) / (p + o + 0.04); it is 0.5 where both are equally likely.

    Args:
        labels: N class numbers 0..K-1.
        probabilities: N x K, out of fold, rows sum to 1.

    Returns:
        N qualities, 0..1, lower is worse; and N most likely other classes, 0..K-1.
    """
    assert probabilities.ndim == 2
    assert len(probabilities) == len(labels)
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -1.0
    suggested = others.argmax(axis=1).astype(np.int64)
    given, other = probabilities[rows, labels], probabilities[rows, suggested]
    quality = (given + _SMOOTHING) / (given + other + 2 * _SMOOTHING)
    return np.round(quality, _DECIMALS), suggested


def label_issues(labels: Integers, probabilities: Floats) -> Mask:
    """Labels that confident learning considers wrong: N booleans.

    Args:
        labels: N class numbers 0..K-1.
        probabilities: N x K, out of fold, rows sum to 1.
    """
    from cleanlab.filter import find_label_issues

    if len(np.unique(labels)) < 2:
        return np.zeros(len(labels), dtype=bool)
    issues = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    return np.asarray(issues, dtype=bool)
