"""Configuration of the promotion gate and of retraining."""

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.drift.config import DriftConfig


class PromotionConfig(FrozenConfig):
    """The promotion gate; it uses validation accuracy, never the test split."""

    min_accuracy: float = Field(
        default=0.3, ge=0, le=1, description="Minimum validation accuracy of a candidate, 0..1."
    )
    max_regression: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Accepted loss of accuracy against the champion on the same images, 0..1.",
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
