"""Settings of splitting."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig


class SplittingConfig(FrozenConfig):
    """How images get their split: train, validation (chooses everything) or test (reported)."""

    strategy: Literal["source", "stratified"] = Field(
        default="source",
        description="source: as the source says, filling in a missing validation split; "
        "stratified: drawn anew, by class, copies kept together.",
    )
    validation_fraction: float = Field(
        default=0.1, gt=0, lt=0.5, description="Share for validation where it is drawn."
    )
    test_fraction: float = Field(
        default=0.1,
        gt=0,
        lt=0.5,
        description="Share for test where it is drawn (stratified, or a source without any split).",
    )

    @model_validator(mode="after")
    def _leaves_training_images(self) -> Self:
        if self.validation_fraction + self.test_fraction > 0.8:
            raise ValueError("validation_fraction + test_fraction must leave 0.2 for training")
        return self
