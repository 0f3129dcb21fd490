"""Result types of an evaluation.

Shares are 0..1. An interval is (low, high) at `EvaluationConfig.confidence`; how each is computed
is documented in `intervals` and in docs/evaluation.md.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from fer_models.evaluation.config import EvaluationConfig

VALIDATION = "validation"
TEST = "test"
TEST_WITHOUT_LEAKS = "test_without_leaks"
TEST_WITHOUT_NEAR_COPIES = "test_without_near_copies"
VALIDATION_WITHOUT_LEAKS = "validation_without_leaks"
VALIDATION_WITHOUT_NEAR_COPIES = "validation_without_near_copies"
SETS = (
    VALIDATION,
    VALIDATION_WITHOUT_LEAKS,
    VALIDATION_WITHOUT_NEAR_COPIES,
    TEST,
    TEST_WITHOUT_LEAKS,
    TEST_WITHOUT_NEAR_COPIES,
)
"""Sets of images, in the order in which they are shown; those of validation without copies only
if there is no test split."""

Interval = tuple[float, float]

HEADLINES = (
    "accuracy",
    "top2_accuracy",
    "top5_accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "kappa",
    "auroc",
    "log_loss",
    "brier",
    "calibration_error",
    "calibration_error_scaled",
)
"""The metrics of a set of images, fields of `SplitMetrics`."""


class Headline(NamedTuple):
    """One metric of one set: its value, and its interval if there is one."""

    name: str
    n: int
    value: float
    low: float | None
    high: float | None


class Result(BaseModel):
    """Base of all result types."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ClassMetrics(Result):
    """Metrics of one class: n images; the others are 0..1, higher is better."""

    n: int
    precision: float
    recall: float
    f1: float
    auroc: float | None
    """One versus rest; None if all or none of the images are of this class."""
    intervals: dict[str, Interval]
    """By metric; one that the images can't support is absent."""


class Share(Result):
    """A share (0..1) of n images with its interval."""

    n: int
    value: float
    low: float
    high: float


class CrowdMetrics(Result):
    """A model and the labels against the votes of FER+'s taggers (see `crowd`).

    A share without images is None.
    """

    n: int
    """Images with votes."""
    agreement: Share | None
    """Answers that are the crowd's majority, of the images that have one."""
    sure: Share | None
    """Accuracy (against the labels) where one class has at least 70 % of the votes."""
    split: Share | None
    """Accuracy (against the labels) where no class has."""
    oracle: Share
    """Accuracy (against the labels) of an oracle that always answers the crowd's majority: the
    ceiling that label noise sets for whoever sees faces as the crowd does."""


class SplitMetrics(Result):
    """Metrics of a model on one set of images; see `metrics` for ranges and directions."""

    n: int
    num_groups: int
    """Groups of exact and near duplicates among the images: the number of independent ones."""
    accuracy: float
    top2_accuracy: float | None
    """None with 2 classes: it is always 1."""
    top5_accuracy: float | None
    """None with 5 classes or fewer."""
    balanced_accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    kappa: float | None
    """Cohen's kappa; None if labels and answers are all of one class."""
    auroc: float | None
    """None if all images of the set have the same class."""
    log_loss: float
    brier: float
    calibration_error: float
    calibration_error_scaled: float | None
    """After temperature scaling; None if no temperature could be fitted."""
    intervals: dict[str, Interval]
    """By headline metric; one that the images can't support is absent, accuracy never is."""
    per_class: dict[str, ClassMetrics]
    confusion: tuple[tuple[int, ...], ...]
    """Counts, K x K: rows are true classes, columns are predicted classes."""
    crowd: CrowdMetrics | None
    """None without votes, or if some class has no vote."""

    @property
    def accuracy_low(self) -> float:
        """Lower end of the interval of the accuracy."""
        return self.intervals["accuracy"][0]

    @property
    def accuracy_high(self) -> float:
        """Upper end of the interval of the accuracy."""
        return self.intervals["accuracy"][1]

    def headlines(self) -> Iterator[Headline]:
        """All defined headline metrics, in the order of `HEADLINES`."""
        for name in HEADLINES:
            value = getattr(self, name)
            if value is not None:
                low, high = self.intervals.get(name, (None, None))
                yield Headline(name, self.n, value, low, high)


class Slice(Result):
    """The accuracy on a part of a set of images."""

    name: str
    n: int
    num_groups: int
    accuracy: float
    low: float
    high: float
    is_small: bool
    """Fewer images than `min_slice_images`: left out of the gap."""


class Gap(Result):
    """The difference in accuracy between the best and the worst slice of a column."""

    best: str
    worst: str
    value: float
    low: float
    """Interval of the difference between these two slices."""
    high: float
    by_chance: float
    """Equally good slices of these sizes would show a larger gap in one case in twenty (at a
    confidence of 0.95). A gap below it is no evidence of a difference."""


class SliceColumn(Result):
    """The slices of a set of images by one property."""

    column: str
    slices: tuple[Slice, ...]
    num_unknown: int
    """Images without a value."""
    gap: Gap | None
    """None with fewer than two slices that are large enough."""


class ModelMetrics(Result):
    """Metrics of a model on every set that has images (`metrics.json` of an evaluation)."""

    model_id: str
    model_name: str
    kind: str
    snapshot_id: str
    parameters: int
    settings: EvaluationConfig
    temperature: float | None
    """Fitted on all of validation; None without validation images."""
    splits: dict[str, SplitMetrics]
    """By set, in the order of `SETS`."""
    sliced_split: str
    """The set that the slices are parts of: test, or validation without a test split."""
    slices: tuple[SliceColumn, ...]

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
