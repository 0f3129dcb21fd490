"""Metrics of one set of images with their intervals, from probabilities.

N images, K classes, B replicates of the bootstrap, C columns of values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.evaluation import metrics
from fer_models.evaluation.bootstrap import GroupBootstrap, percentile_interval
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.intervals import (
    MIN_GROUPS,
    around,
    auroc_intervals,
    share_interval,
)
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.evaluation.results import ClassMetrics, CrowdMetrics, Interval, SplitMetrics

Replicates = npt.NDArray[np.float64]

_CALIBRATION = ("calibration_error", "calibration_error_scaled")


@dataclass(frozen=True)
class ScoredImages:
    """The images of a set: labels, duplicate groups (N each) and probabilities (N x K).

    `scaled_NK` are the probabilities after temperature scaling; None without a temperature.
    """

    labels: Ints
    groups: Ints
    probs_NK: npt.NDArray[np.float64]
    scaled_NK: npt.NDArray[np.float64] | None

    def at(self, mask_N: npt.NDArray[np.bool_]) -> "ScoredImages":
        """Some of the images."""
        scaled_NK = None if self.scaled_NK is None else self.scaled_NK[mask_N]
        return ScoredImages(
            self.labels[mask_N], self.groups[mask_N], self.probs_NK[mask_N], scaled_NK
        )

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable class is the label, N booleans."""
        return np.asarray(self.probs_NK.argmax(axis=1) == self.labels)


def score_split(
    images: ScoredImages,
    bootstrap: GroupBootstrap,
    config: EvaluationConfig,
    class_names: Sequence[str],
    crowd: CrowdMetrics | None = None,
) -> SplitMetrics:
    """All metrics of a set of images.

    Args:
        images: at least one.
        bootstrap: of the groups of these images.
        config: bins, and how intervals are made.
        class_names: K names.
        crowd: the comparison with votes, if there are any.

    Raises:
        DataError: there are no images, or the arrays are no probabilities and labels.
    """
    labels, probs_NK = images.labels, images.probs_NK
    confusion = metrics.confusion_matrix(probs_NK, labels)
    values = _values(images, confusion, config)
    replicates, f1_BK = _replicates(bootstrap, images, config)

    def interval(name: str, value: float | None, values_B: Replicates) -> Interval | None:
        return _interval(name, value, values_B, bootstrap.num_groups, config.confidence)

    mean_auroc, class_aurocs = auroc_intervals(probs_NK, labels, images.groups, config.confidence)
    intervals: dict[str, Interval | None] = {**_share_intervals(images, config)}
    intervals |= {name: interval(name, values[name], drawn) for name, drawn in replicates.items()}
    intervals["auroc"] = mean_auroc
    f1 = metrics.class_scores(confusion).f1.tolist()
    class_f1 = [interval("f1", f1[k], f1_BK[:, k]) for k in range(len(class_names))]
    return SplitMetrics(
        n=len(labels),
        num_groups=bootstrap.num_groups,
        **values,
        intervals=_defined(intervals),
        per_class=_per_class(images, class_names, class_aurocs, class_f1, config),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        crowd=crowd,
    )


def _values(
    images: ScoredImages, confusion_KK: Ints, config: EvaluationConfig
) -> dict[str, float | None]:
    """All headline metrics."""
    labels, probs_NK, bins = images.labels, images.probs_NK, config.calibration_bins
    scaled_NK = images.scaled_NK
    return {
        "accuracy": float(np.trace(confusion_KK)) / len(labels),
        "top2_accuracy": None,
        "top5_accuracy": None,
        **{name: float(hits.mean()) for name, hits in _top_k(images).items()},
        "balanced_accuracy": metrics.balanced_accuracy(confusion_KK),
        "macro_precision": metrics.macro_precision(confusion_KK),
        "macro_recall": metrics.macro_recall(confusion_KK),
        "macro_f1": metrics.macro_f1(confusion_KK),
        "kappa": metrics.cohens_kappa(confusion_KK),
        "auroc": metrics.auroc(probs_NK, labels),
        "log_loss": metrics.log_loss(probs_NK, labels),
        "brier": metrics.brier_score(probs_NK, labels),
        "calibration_error": metrics.calibration_error(probs_NK, labels, bins),
        "calibration_error_scaled": None
        if scaled_NK is None
        else metrics.calibration_error(scaled_NK, labels, bins),
    }


def _top_k(images: ScoredImages) -> dict[str, npt.NDArray[np.bool_]]:
    """Hits by metric; none where they would always be hits."""
    return {
        f"top{k}_accuracy": metrics.is_in_top_k(images.probs_NK, images.labels, k)
        for k in (2, 5)
        if images.probs_NK.shape[1] > k
    }


def _share_intervals(images: ScoredImages, config: EvaluationConfig) -> dict[str, Interval]:
    hits = {"accuracy": images.correct, **_top_k(images)}
    return {
        name: share_interval(hits_N, images.groups, config.confidence)
        for name, hits_N in hits.items()
    }


def _replicates(
    bootstrap: GroupBootstrap, images: ScoredImages, config: EvaluationConfig
) -> tuple[dict[str, Replicates], Replicates]:
    """Metrics of every replicate: B values by name, and F1 by class, B x K; NaN if undefined.

    All of them are made of sums over images, so one product of matrices has them all.
    """
    columns = [*_class_columns(images), *_loss_columns(images)]
    gaps = [_gap_columns(images.probs_NK, images.labels, config.calibration_bins)]
    if images.scaled_NK is not None:
        gaps.append(_gap_columns(images.scaled_NK, images.labels, config.calibration_bins))
    sums_BC = bootstrap.sums(np.column_stack([*columns, *gaps]))
    num_classes = images.probs_NK.shape[1]
    parts = np.split(sums_BC[:, : 3 * num_classes], 3, axis=1)
    result, f1_BK = _confusion_metrics(*parts)
    n_B = parts[0].sum(axis=1)
    losses = sums_BC[:, 3 * num_classes :]
    result |= {"log_loss": losses[:, 0] / n_B, "brier": losses[:, 1] / n_B}
    gaps_B = np.split(np.abs(losses[:, 2:]), len(gaps), axis=1)
    result |= {name: gap.sum(axis=1) / n_B for name, gap in zip(_CALIBRATION, gaps_B, strict=False)}
    return result, f1_BK


def _class_columns(images: ScoredImages) -> list[Floats]:
    """Whether an image is of each class, is predicted as it, and both; three arrays N x K."""
    one_hot = np.eye(images.probs_NK.shape[1])
    true_NK, predicted_NK = one_hot[images.labels], one_hot[images.probs_NK.argmax(axis=1)]
    return [true_NK, predicted_NK, true_NK * predicted_NK]


def _loss_columns(images: ScoredImages) -> list[Floats]:
    """Each image's cross-entropy and squared distance to the label."""
    rows, labels = np.arange(len(images.labels)), images.labels
    chosen = images.probs_NK[rows, labels]
    distances_NK = images.probs_NK.copy()
    distances_NK[rows, labels] -= 1
    losses = -np.log(np.clip(chosen, metrics.SMALLEST_PROBABILITY, 1.0))
    return [losses, (distances_NK**2).sum(axis=1)]


def _gap_columns(probs_NK: Floats, labels_N: Ints, num_bins: int) -> npt.NDArray[np.float64]:
    """Confidence minus correctness of each image, in the column of its confidence bin."""
    confidence, bins = metrics.confidence_bins(probs_NK, num_bins)
    columns = np.zeros((len(labels_N), num_bins))
    columns[np.arange(len(labels_N)), bins] = confidence - (probs_NK.argmax(axis=1) == labels_N)
    return columns


def _confusion_metrics(
    true_BK: Replicates, predicted_BK: Replicates, hits_BK: Replicates
) -> tuple[dict[str, Replicates], Replicates]:
    """The metrics of a confusion matrix, as `metrics` defines them, of every replicate."""
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = np.where(true_BK > 0, hits_BK / true_BK, 0.0)
        precision = np.where(predicted_BK > 0, hits_BK / predicted_BK, 0.0)
        f1 = np.where(true_BK + predicted_BK > 0, 2 * hits_BK / (true_BK + predicted_BK), 0.0)
        n = true_BK.sum(axis=1)
        by_chance = (true_BK * predicted_BK).sum(axis=1) / n**2
        kappa = np.where(
            by_chance < 1, (hits_BK.sum(axis=1) / n - by_chance) / (1 - by_chance), np.nan
        )
    present, seen = true_BK > 0, true_BK + predicted_BK > 0
    result = {
        "balanced_accuracy": recall.sum(axis=1) / present.sum(axis=1),
        "macro_precision": precision.sum(axis=1) / seen.sum(axis=1),
        "macro_recall": recall.sum(axis=1) / seen.sum(axis=1),
        "macro_f1": f1.sum(axis=1) / seen.sum(axis=1),
        "kappa": kappa,
    }
    return result, np.where(seen, f1, np.nan)


def _interval(
    name: str, value: float | None, values_B: Replicates, num_groups: int, confidence: float
) -> Interval | None:
    """The bootstrap interval of a metric; None where resampling shows no spread.

    The calibration error is a sum of absolute values, so resampling raises it as much as sampling
    did: its interval is the basic one, 2 * value - quantiles (Davison, Hinkley 1997), cut at 0 and
    extended to the value. All others are percentile intervals.
    """
    if value is None or num_groups < MIN_GROUPS:
        return None
    low, high = percentile_interval(values_B, confidence)
    if not low < high:
        return None
    if name in _CALIBRATION:
        low, high = max(0.0, 2 * value - high), min(1.0, max(value, 2 * value - low))
    return around(value, low, high)


def _per_class(
    images: ScoredImages,
    class_names: Sequence[str],
    auroc_K: Sequence[Interval | None],
    f1_K: Sequence[Interval | None],
    config: EvaluationConfig,
) -> dict[str, ClassMetrics]:
    """The metrics of each class, given the intervals of its AUROC and F1."""
    scores = metrics.class_scores(metrics.confusion_matrix(images.probs_NK, images.labels))
    areas = metrics.class_aurocs(images.probs_NK, images.labels)
    predicted = images.probs_NK.argmax(axis=1)
    return {
        name: ClassMetrics(
            n=int(scores.n[k]),
            precision=float(scores.precision[k]),
            recall=float(scores.recall[k]),
            f1=float(scores.f1[k]),
            auroc=areas[k],
            intervals=_defined(
                {
                    "recall": _interval_within(images, images.labels == k, config),
                    "precision": _interval_within(images, predicted == k, config),
                    "f1": f1_K[k],
                    "auroc": auroc_K[k],
                }
            ),
        )
        for k, name in enumerate(class_names)
    }


def _interval_within(
    images: ScoredImages, mask_N: npt.NDArray[np.bool_], config: EvaluationConfig
) -> Interval | None:
    """The interval of the share of correct answers among some images."""
    if not mask_N.any():
        return None
    return share_interval(images.correct[mask_N], images.groups[mask_N], config.confidence)


def _defined(intervals: Mapping[str, Interval | None]) -> dict[str, Interval]:
    return {name: found for name, found in intervals.items() if found is not None}
