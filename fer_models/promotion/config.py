"""When a candidate becomes the champion, and when to retrain."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class PromotionConfig(FrozenConfig):
    """The promotion gate; it looks at validation accuracy, never at the test split."""

    min_accuracy: float = Field(
        default=0.3, ge=0, le=1, description="A candidate below this is never promoted."
    )
    max_regression: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="How much lower than the champion's, on the same images, it may be.",
    )


class RetrainingConfig(FrozenConfig):
    """When the scheduled flow trains again."""

    max_age_days: float = Field(
        default=30.0, gt=0, description="A champion older than this is trained anew."
    )
    on_new_data: bool = Field(
        default=True, description="Train when the data differs from what the champion saw."
    )
    force: bool = Field(default=False, description="Train in any case.")
