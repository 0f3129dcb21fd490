"""Result types of an evaluation, and their computation from probabilities."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from fer_models.evaluation import metrics
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.metrics import Floats, Ints

VALIDATION = "validation"
TEST = "test"
TEST_WITHOUT_LEAKS = "test_without_leaks"


class ClassMetrics(BaseModel):
    """Metrics of one class: n images; precision, recall and F1 are 0..1, higher is better."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n: int
    precision: float
    recall: float
    f1: float


class SplitMetrics(BaseModel):
    """Metrics of a model on the images of one split; see `metrics` for ranges and directions."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n: int
    accuracy: float
    accuracy_low: float
    """Lower end of the Wilson interval."""
    accuracy_high: float
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    brier: float
    calibration_error: float
    auroc: float | None
    """None if all images of the split have the same class."""
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Counts, K x K: rows are true classes, columns are predicted classes."""


class ModelMetrics(BaseModel):
    """Metrics of a model on every split that has images (`metrics.json` of an evaluation)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model_id: str
    model_name: str
    kind: str
    snapshot_id: str
    parameters: int
    splits: dict[str, SplitMetrics]

    def summary(self) -> dict[str, Any]:
        """The artifact's metadata: names, and n and accuracy by split."""
        splits = {
            name: {
                "n": split.n,
                "accuracy": split.accuracy,
                "low": split.accuracy_low,
                "high": split.accuracy_high,
            }
            for name, split in self.splits.items()
        }
        return {
            "model_id": self.model_id,
            "model_name": self.model_name,
            "kind": self.kind,
            "snapshot_id": self.snapshot_id,
            **splits,
        }


def score_split(
    probs_NK: Floats, labels_N: Ints, config: EvaluationConfig, class_names: Sequence[str]
) -> SplitMetrics:
    """All metrics of N x K probabilities against N labels.

    Raises:
        DataError: there are no images, or the arrays are no probabilities and labels.
    """
    confusion = metrics.confusion_matrix(probs_NK, labels_N)
    classes = metrics.class_scores(confusion)
    num_correct = int(np.trace(confusion))
    low, high = metrics.wilson_interval(num_correct, len(labels_N), config.confidence)
    return SplitMetrics(
        n=len(labels_N),
        accuracy=num_correct / len(labels_N),
        accuracy_low=low,
        accuracy_high=high,
        balanced_accuracy=metrics.balanced_accuracy(confusion),
        macro_f1=metrics.macro_f1(confusion),
        log_loss=metrics.log_loss(probs_NK, labels_N),
        brier=metrics.brier_score(probs_NK, labels_N),
        calibration_error=metrics.calibration_error(probs_NK, labels_N, config.calibration_bins),
        auroc=metrics.auroc(probs_NK, labels_N),
        per_class={
            name: ClassMetrics(
                n=int(classes.n[number]),
                precision=float(classes.precision[number]),
                recall=float(classes.recall[number]),
                f1=float(classes.f1[number]),
            )
            for number, name in enumerate(class_names)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )
