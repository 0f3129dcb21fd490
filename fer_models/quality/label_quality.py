"""Label quality by confident learning on out-of-fold probabilities.

N images, K classes. The method and its code are cleanlab's (Northcutt, Jiang & Chuang 2021,
"Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.labels import NUM_CLASSES

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_DECIMALS = 6


@dataclass(frozen=True)
class LabelQuality:
    """N values each.

    Attributes:
        quality: 0..1, lower is worse: half of one plus the margin between the probability of the
            given label and that of the likeliest other one.
        suggested: the likeliest class other than the given label, 0..6.
        is_issue: whether confident learning takes the label for wrong.
    """

    quality: Floats
    suggested: Integers
    is_issue: npt.NDArray[np.bool_]


def judge_labels(labels: Integers, probabilities: Floats) -> LabelQuality:
    """How well each label fits what networks that never saw the image say of it.

    Args:
        labels: N class numbers 0..6.
        probabilities: N x K, out of fold, rows sum to 1.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    assert probabilities.shape == (len(labels), NUM_CLASSES)
    others = probabilities.copy()
    others[np.arange(len(labels)), labels] = -1.0
    quality = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    issues = find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    return LabelQuality(
        quality=np.round(quality, _DECIMALS),
        suggested=others.argmax(axis=1).astype(np.int64),
        is_issue=np.asarray(issues, dtype=bool),
    )
