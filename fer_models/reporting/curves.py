"""ROC and precision-recall curves of single classes, one class against the rest.

N images, K classes, T thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
# More points than a chart has pixels only make the page larger.
_MAX_POINTS = 160


@dataclass(frozen=True)
class ClassCurves:
    """The curves of one class; all values are shares, 0..1.

    Attributes:
        name: the class.
        n: images of the class.
        false_positive_rate, true_positive_rate: points of the ROC curve, from (0, 0) to (1, 1).
        area: area under the ROC curve (AUROC); 0.5 is chance.
        recall, precision: points of the precision-recall curve, by rising recall.
        average_precision: mean precision over the recall steps; chance is the class's share.
    """

    name: str
    n: int
    false_positive_rate: Floats
    true_positive_rate: Floats
    area: float
    recall: Floats
    precision: Floats
    average_precision: float


def class_curves(predictions: Predictions, names: Sequence[str]) -> list[ClassCurves]:
    """The curves of every class that some images have and some have not, in class order.

    Example:
        for curves in class_curves(predictions, snapshot.classes.names):
            print(curves.name, curves.area, curves.average_precision)
    """
    labels_N = predictions.labels
    return [
        _curves(name, predictions.probs_NK[:, number], labels_N == number)
        for number, name in enumerate(names)
        if 0 < int((labels_N == number).sum()) < len(labels_N)
    ]


def _curves(name: str, scores_N: Floats, is_class_N: npt.NDArray[np.bool_]) -> ClassCurves:
    order = np.argsort(-scores_N, kind="stable")
    hits_N = np.cumsum(is_class_N[order])
    # Images with the same score are above a threshold together.
    last_T = np.flatnonzero(np.append(np.diff(scores_N[order]) != 0, True))
    hits_T, taken_T = hits_N[last_T], last_T + 1
    n = int(hits_N[-1])
    recall = hits_T / n
    precision = hits_T / taken_T
    true_positive = np.append(0.0, recall)
    false_positive = np.append(0.0, (taken_T - hits_T) / (len(scores_N) - n))
    steps = np.diff(np.append(0.0, recall))
    roc, pr = _thinned(len(true_positive)), _thinned(len(recall))
    return ClassCurves(
        name=name,
        n=n,
        false_positive_rate=false_positive[roc],
        true_positive_rate=true_positive[roc],
        area=float(np.trapezoid(true_positive, false_positive)),
        recall=recall[pr],
        precision=precision[pr],
        average_precision=float((steps * precision).sum()),
    )


def _thinned(num_points: int) -> npt.NDArray[np.int64]:
    """Evenly spaced points, the first and the last among them."""
    shown = min(num_points, _MAX_POINTS)
    return np.unique(np.linspace(0, num_points - 1, shown).round().astype(np.int64))
