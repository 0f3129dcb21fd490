"""Settings of splitting, and limits that cleaning, scoring and the data gate share."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig

BLANK_STD = 2.0
"""Standard deviation of the grey values (0..127.5) below which an image is blank."""
NEAR_DUPLICATE_SIMILARITY = 0.95
"""Correlation (0..1) of two aligned images from which they are near duplicates."""
PROMISING_SIMILARITY = 0.75
"""Coarse correlation from which a pair is aligned at full size; lower limits have no effect."""


class SplittingConfig(FrozenConfig):
    """How images are assigned to train, validation (for selection) and test (for reporting).

    Example:
        SplittingConfig(strategy="stratified", validation_fraction=0.15, test_fraction=0.15)
    """

    strategy: Literal["source", "stratified"] = Field(
        default="source",
        description="source: keep the source's splits, and draw a missing validation split; "
        "stratified: draw new splits by class. Exact and near copies stay together in a draw.",
    )
    validation_fraction: float = Field(
        default=0.1, gt=0, lt=0.5, description="Share of the images for validation, if it is drawn."
    )
    test_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="Share of the images for test, if it is drawn (stratified, or a source "
        "without splits).",
    )

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.validation_fraction + self.test_fraction > 0.8:
            raise ValueError(
                "validation_fraction + test_fraction must be at most 0.8, to leave 0.2 for training"
            )
        return self
