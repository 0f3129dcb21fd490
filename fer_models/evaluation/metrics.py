"""Classification metrics.

N images, K classes, B bins. `probs_NK` are probabilities (rows sum to 1), `labels_N` are class
numbers 0..K-1. Each average states which classes without images it excludes.

The tests compare every metric with scikit-learn or scipy. They are not called here: training
evaluates these metrics every epoch, on machines that need not have scikit-learn; its import takes
more than a second and its class scores cost nine times as much. Counts, class scores, their means
and the Brier score are equal to scikit-learn's bit by bit. Differences that keep a function here
are noted with it. torchmetrics computes in float32 and averages over absent classes.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.errors import DataError

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
SUM_TOLERANCE = 1e-3
SMALLEST_PROBABILITY = 1e-15


@dataclass(frozen=True)
class ClassScores:
    """Images, precision, recall and F1 of each class (arrays of K; 0..1, higher is better)."""

    n: Ints
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    f1: npt.NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityBins:
    """Equal-width confidence bins: number of images, mean confidence and accuracy; arrays of B.

    All three are 0 for empty bins.
    """

    n: Ints
    confidence: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]


def probability_problems(probs_NK: Floats, num_rows: int, num_classes: int) -> list[str]:
    """Why an array is not the probabilities of `num_rows` images; empty if it is.

    Rows must have K finite values in 0..1 that sum to 1 within 0.001.
    """
    if probs_NK.shape != (num_rows, num_classes):
        got = " x ".join(str(size) for size in probs_NK.shape) or "a scalar"
        return [f"expected {num_rows} x {num_classes} probabilities, got {got}"]
    if not np.isfinite(probs_NK).all():
        return [f"{int((~np.isfinite(probs_NK)).any(axis=1).sum())} rows contain NaN or infinity"]
    problems = []
    outside = ((probs_NK < -SUM_TOLERANCE) | (probs_NK > 1 + SUM_TOLERANCE)).any(axis=1)
    if outside.any():
        problems.append(f"{int(outside.sum())} rows contain values outside 0..1 (logits?)")
    off = np.abs(probs_NK.sum(axis=1, dtype=np.float64) - 1) > SUM_TOLERANCE
    if off.any():
        problems.append(f"{int(off.sum())} rows don't sum to 1, first in row {off.argmax()}")
    return problems


def check_predictions(probs_NK: Floats, labels_N: Ints) -> None:
    """Reject arrays that can't be scored: no images, no probabilities, or labels outside 0..K-1.

    Raises:
        DataError: lists all problems.
    """
    problems = []
    num_classes = probs_NK.shape[1] if probs_NK.ndim == 2 else 0
    if labels_N.ndim != 1 or len(labels_N) == 0:
        problems.append(f"expected at least one label in one dimension, got {labels_N.shape}")
    elif labels_N.min() < 0 or labels_N.max() >= num_classes:
        problems.append(
            f"expected labels 0..{num_classes - 1}, got {labels_N.min()}..{labels_N.max()}"
        )
    problems += probability_problems(probs_NK, len(labels_N) if labels_N.ndim else 0, num_classes)
    if problems:
        raise DataError("the predictions can't be scored", problems)


def accuracy(probs_NK: Floats, labels_N: Ints) -> float:
    """Share of images whose most probable class is the label (0..1, higher is better)."""
    check_predictions(probs_NK, labels_N)
    return float((probs_NK.argmax(axis=1) == labels_N).mean())


def is_in_top_k(probs_NK: Floats, labels_N: Ints, k: int) -> npt.NDArray[np.bool_]:
    """Whether each label is among the k most probable classes; N booleans (top-k accuracy).

    Of classes with equal probabilities the first ones count as more probable, as in `accuracy`;
    scikit-learn takes the last ones.
    """
    chosen = probs_NK[np.arange(len(labels_N)), labels_N][:, None]
    is_earlier = np.arange(probs_NK.shape[1]) < labels_N[:, None]
    ahead: npt.NDArray[np.bool_] = (probs_NK > chosen) | ((probs_NK == chosen) & is_earlier)
    return np.asarray(ahead.sum(axis=1) < k)


def wilson_interval(num_correct: int, num_images: int, confidence: float) -> tuple[float, float]:
    """Confidence interval of a proportion (Wilson 1927), both ends 0..1.

    Equal to `scipy.stats.binomtest(...).proportion_ci(method="wilson")` within 4e-16, without the
    import of scipy.stats (about a second); the last bit decides the id of a stored evaluation.

    Args:
        num_correct: number of successes, 0..num_images.
        num_images: number of trials, at least 1.
        confidence: confidence level, between 0 and 1.

    Raises:
        ValueError: the counts or the confidence level are out of range.
    """
    if not 0 <= num_correct <= num_images or num_images < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"expected 0 <= correct <= images, images >= 1 and 0 < confidence < 1, "
            f"got {num_correct}, {num_images}, {confidence}"
        )
    return wilson_of_share(num_correct / num_images, num_images, confidence)


def wilson_of_share(share: float, size: float, confidence: float) -> tuple[float, float]:
    """The Wilson interval of a share (0..1) of `size` independent trials, which may be fractional.

    See `wilson_interval`; `fer_models.evaluation.intervals` has the size for images with copies.
    """
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    scale = 1 + z**2 / size
    centre = (share + z**2 / (2 * size)) / scale
    spread = share * (1 - share) / size + (z / (2 * size)) ** 2
    half = z / scale * float(np.sqrt(spread))
    # The ends at 0 and 1 are exact; rounding must not exclude the share itself.
    low = 0.0 if share == 0 else max(0.0, centre - half)
    high = 1.0 if share == 1 else min(1.0, centre + half)
    return low, high


def confusion_matrix(probs_NK: Floats, labels_N: Ints) -> Ints:
    """Counts, K x K: rows are true classes, columns are predicted classes."""
    check_predictions(probs_NK, labels_N)
    num_classes = probs_NK.shape[1]
    pairs = labels_N * num_classes + probs_NK.argmax(axis=1)
    counts = np.bincount(pairs, minlength=num_classes**2).astype(np.int64)
    return counts.reshape(num_classes, num_classes)


def class_scores(confusion_KK: Ints) -> ClassScores:
    """Precision, recall and F1 of each class; 0 where the denominator is 0."""
    hits = np.diagonal(confusion_KK).astype(np.float64)
    true, predicted = confusion_KK.sum(axis=1), confusion_KK.sum(axis=0)
    return ClassScores(
        n=true,
        precision=_ratio(hits, predicted),
        recall=_ratio(hits, true),
        f1=_ratio(2 * hits, true + predicted),
    )


def balanced_accuracy(confusion_KK: Ints) -> float:
    """Mean recall over the classes with images (0..1, higher is better)."""
    present = confusion_KK.sum(axis=1) > 0
    return float(class_scores(confusion_KK).recall[present].mean())


def macro_precision(confusion_KK: Ints) -> float:
    """Mean precision over the classes with images or predictions (0..1, higher is better)."""
    return float(class_scores(confusion_KK).precision[_seen(confusion_KK)].mean())


def macro_recall(confusion_KK: Ints) -> float:
    """Mean recall over the classes with images or predictions (0..1, higher is better).

    It differs from `balanced_accuracy` only if a class without images was predicted.
    """
    return float(class_scores(confusion_KK).recall[_seen(confusion_KK)].mean())


def macro_f1(confusion_KK: Ints) -> float:
    """Mean F1 over the classes with images or predictions (0..1, higher is better)."""
    return float(class_scores(confusion_KK).f1[_seen(confusion_KK)].mean())


def cohens_kappa(confusion_KK: Ints) -> float | None:
    """Agreement of labels and predictions beyond chance (Cohen 1960; -1..1, higher is better).

    None if both are all of the same class, where scikit-learn gives NaN.
    """
    total = confusion_KK.sum()
    by_chance = float((confusion_KK.sum(axis=0) * confusion_KK.sum(axis=1)).sum()) / float(total**2)
    if by_chance == 1:
        return None
    return float((np.trace(confusion_KK) / total - by_chance) / (1 - by_chance))


def log_loss(probs_NK: Floats, labels_N: Ints) -> float:
    """Mean negative log of the label's probability, in nats (>= 0, lower is better).

    Probabilities are clipped at 1e-15; scikit-learn clips at the dtype's epsilon, so its loss of a
    sure mistake differs between float32 and float64.
    """
    check_predictions(probs_NK, labels_N)
    chosen = probs_NK[np.arange(len(labels_N)), labels_N].astype(np.float64)
    return float(-np.log(np.clip(chosen, SMALLEST_PROBABILITY, 1.0)).mean())


def brier_score(probs_NK: Floats, labels_N: Ints) -> float:
    """Mean squared distance to the one-hot label, summed over classes (0..2, lower is better).

    scikit-learn gives the same number, with a warning: sums of stored float32 rows are off by 1e-7.
    """
    check_predictions(probs_NK, labels_N)
    one_hot = np.eye(probs_NK.shape[1])[labels_N]
    return float(((probs_NK.astype(np.float64) - one_hot) ** 2).sum(axis=1).mean())


def reliability_bins(probs_NK: Floats, labels_N: Ints, num_bins: int) -> ReliabilityBins:
    """Confidence (the highest probability) and accuracy in the bins (b/B, (b+1)/B]."""
    check_predictions(probs_NK, labels_N)
    confidence, bins = confidence_bins(probs_NK, num_bins)
    correct = (probs_NK.argmax(axis=1) == labels_N).astype(np.float64)
    n = np.bincount(bins, minlength=num_bins)
    return ReliabilityBins(
        n=n.astype(np.int64),
        confidence=_ratio(np.bincount(bins, confidence, num_bins), n),
        accuracy=_ratio(np.bincount(bins, correct, num_bins), n),
    )


def confidence_bins(probs_NK: Floats, num_bins: int) -> tuple[npt.NDArray[np.float64], Ints]:
    """The confidence of each image, N values 0..1, and the number of its bin, 0..B-1."""
    confidence = np.clip(probs_NK.max(axis=1).astype(np.float64), 0, 1)
    edges = np.linspace(0, 1, num_bins + 1)[1:-1]
    return confidence, np.searchsorted(edges, confidence, side="left").astype(np.int64)


def calibration_error(probs_NK: Floats, labels_N: Ints, num_bins: int) -> float:
    """Expected calibration error of the most probable class (Guo et al. 2017).

    The mean distance between confidence and accuracy over equal-width bins, weighted by their
    number of images (0..1, lower is better). torchmetrics assigns confidences on a bin's edge to
    the next bin, and computes in float32.
    """
    bins = reliability_bins(probs_NK, labels_N, num_bins)
    gaps = np.abs(bins.confidence - bins.accuracy)
    return float((gaps * bins.n).sum() / bins.n.sum())


def auroc(probs_NK: Floats, labels_N: Ints) -> float | None:
    """Mean one-versus-rest area under the ROC curve over the classes with images (0..1).

    0.5 is chance, higher is better; None if all images have the same class. The area is the
    Mann-Whitney statistic, with ties counted half. scikit-learn gives NaN, with a warning, as soon
    as one class has no images.
    """
    areas = [area for area in class_aurocs(probs_NK, labels_N) if area is not None]
    return float(np.mean(areas)) if areas else None


def class_aurocs(probs_NK: Floats, labels_N: Ints) -> tuple[float | None, ...]:
    """Area under the ROC curve of each class against the rest, K values 0..1; see `auroc`.

    None for a class with none or all of the images.
    """
    check_predictions(probs_NK, labels_N)
    counts = np.bincount(labels_N, minlength=probs_NK.shape[1])
    return tuple(
        _binary_auroc(probs_NK[:, number], labels_N == number)
        if 0 < count < len(labels_N)
        else None
        for number, count in enumerate(counts)
    )


def _binary_auroc(scores_N: Floats, positive_N: npt.NDArray[np.bool_]) -> float:
    ranks_N = pd.Series(scores_N).rank().to_numpy()
    num_positive = int(positive_N.sum())
    num_negative = len(positive_N) - num_positive
    rank_sum = float(ranks_N[positive_N].sum())
    wins = rank_sum - num_positive * (num_positive + 1) / 2
    return wins / (num_positive * num_negative)


def _seen(confusion_KK: Ints) -> npt.NDArray[np.bool_]:
    return np.asarray((confusion_KK.sum(axis=1) + confusion_KK.sum(axis=0)) > 0)


def _ratio(
    numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    ratio = np.zeros(len(numerator), dtype=np.float64)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
