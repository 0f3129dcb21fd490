"""What an evaluation says of one model, and how it is measured from probabilities."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from fer_models.evaluation import metrics
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.metrics import Floats, Ints
from fer_models.labels import CLASS_NAMES

VALIDATION = "validation"
TEST = "test"
TEST_WITHOUT_LEAKS = "test_without_leaks"


class ClassMetrics(BaseModel):
    """Scores of one class: images, and shares 0..1 (higher is better)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n: int
    precision: float
    recall: float
    f1: float


class SplitMetrics(BaseModel):
    """Scores of a model on the images of one split; see `metrics` for ranges and directions."""

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
    """None when the split has images of one class only."""
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Counts, 7 rows true by 7 columns predicted."""


class ModelMetrics(BaseModel):
    """Scores of a model on every split that has images (`metrics.json` of an evaluation)."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())
    model_id: str
    model_name: str
    kind: str
    snapshot_id: str
    parameters: int
    splits: dict[str, SplitMetrics]

    def summary(self) -> dict[str, Any]:
        """The facts for the artifact's info: names, and n and accuracy by split."""
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


def score_split(probs_NK: Floats, labels_N: Ints, config: EvaluationConfig) -> SplitMetrics:
    """All metrics of N x 7 probabilities against N labels.

    Raises:
        DataError: no image, or the arrays are not what they should be.
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
            for number, name in enumerate(CLASS_NAMES)
        },
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
    )
