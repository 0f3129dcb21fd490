"""Configuration of the promotion gate and of retraining."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


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
    """When the scheduled flow retrains."""

    max_age_days: float = Field(
        default=30.0, gt=0, description="Retrain if the champion is older than this."
    )
    on_new_data: bool = Field(
        default=True,
        description="Retrain if the data differs from the champion's training snapshot.",
    )
    force: bool = Field(default=False, description="Always retrain.")
