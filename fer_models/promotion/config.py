"""Configuration of the promotion gate and of retraining."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.drift.config import DriftConfig

Cost = Literal["multiply_adds", "parameters"]
BetterBy = Literal["both", "mcnemar", "bootstrap"]


class PromotionConfig(FrozenConfig):
    """The promotion gate; it uses validation images, never the test split.

    Example:
        PromotionConfig(min_accuracy=0.6, max_regression=0.01, prefer_newer=False)
    """

    min_accuracy: float = Field(
        default=0.3, ge=0, le=1, description="Minimum validation accuracy of a candidate, 0..1."
    )
    min_class_recall: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Minimum share of each class that is recognised, 0..1. A class is below it "
        "only if chance does not explain its images.",
    )
    max_calibration_error: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="Maximum expected calibration error, after temperature scaling, 0..1. It is "
        "exceeded only if chance does not explain it.",
    )
    max_regression: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="Margin, 0..1: a candidate must not be less accurate than the champion by this "
        "much, with confidence, on the same images.",
    )
    max_class_loss: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="Accepted loss of any class against the champion, share of its images, 0..1. "
        "It is exceeded only if chance does not explain the images lost.",
    )
    max_slice_loss: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="The same for every slice of the images, 0..1.",
    )
    level: float = Field(
        default=0.05,
        gt=0,
        le=0.5,
        description="Significance level of the comparisons: how often each may err by chance, "
        "0..0.5. Intervals have a confidence of 1 - level.",
    )
    better_by: BetterBy = Field(
        default="both",
        description="What makes a candidate better: McNemar's exact test at `level`, a bootstrap "
        "interval over groups of copies above 0, or both.",
    )
    cost: Cost = Field(
        default="multiply_adds",
        description="What a prediction costs: multiply-adds over all members and views, or "
        "parameters. Parameters are compared where multiply-adds are not known.",
    )
    min_cost_ratio: float = Field(
        default=1.5,
        gt=1,
        description="A candidate that is not worse is promoted if the champion costs at least this "
        "many times as much.",
    )
    prefer_newer: bool = Field(
        default=True,
        description="Promote a candidate that is not worse if the images or labels have changed "
        "since the champion was trained.",
    )


class RetrainingConfig(FrozenConfig):
    """When the scheduled flow retrains, and from which weights.

    Example:
        RetrainingConfig(max_age_days=7, recent_images=("/data/last-week",), warm_start=True)
    """

    max_age_days: float = Field(
        default=30.0, gt=0, description="Retrain if the champion is older than this."
    )
    on_new_data: bool = Field(
        default=True,
        description="Retrain if the images or labels differ from the champion's training snapshot.",
    )
    min_new_images: int = Field(
        default=1,
        ge=1,
        description="Retrain if at least this many images were added, removed or relabelled.",
    )
    recent_images: tuple[str, ...] = Field(
        default=(),
        description="Folders, archives and tables of recent face crops, without labels, also in "
        "buckets (s3://...), that are compared with the champion's training data; empty switches "
        "the criterion drift off.",
    )
    drift: DriftConfig = Field(
        default=DriftConfig(), description="When the recent images count as drifted."
    )
    force: bool = Field(default=False, description="Always retrain.")
    warm_start: bool = Field(
        default=False,
        description="Train from the champion's weights where the network is the same; other "
        "members start from scratch.",
    )
