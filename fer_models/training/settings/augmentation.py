"""Settings of augmentation."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class AugmentConfig(FrozenConfig):
    """Random augmentation of training images, drawn for every image in every epoch."""

    flip: bool = Field(default=True, description="Mirror left to right with probability 0.5.")
    rotate_deg: float = Field(default=10.0, ge=0, le=90, description="Largest rotation, degrees.")
    shift: float = Field(
        default=0.08, ge=0, le=0.5, description="Largest shift, as a fraction of the image side."
    )
    scale: float = Field(
        default=0.1, ge=0, lt=1, description="Largest scale change: 0.1 means 0.9 to 1.1 times."
    )
    brightness: float = Field(
        default=0.2, ge=0, lt=1, description="Largest brightness change, fraction of full scale."
    )
    contrast: float = Field(
        default=0.2, ge=0, lt=1, description="Largest contrast change: 0.2 means 0.8 to 1.2 times."
    )
    erase: float = Field(
        default=0.0, ge=0, le=1, description="Probability that a random box is set to grey."
    )
    operations: int = Field(
        default=0,
        ge=0,
        le=8,
        description="Random operations per image, each of random strength, after the others: 1 as "
        "in TrivialAugment (Mueller, Hutter 2021), 2 or more as in RandAugment. 0: none.",
    )
    mixup: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="Mixup: image pairs are mixed with weights from Beta(mixup, mixup); 0: off.",
    )
    cutmix: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="CutMix: probability that a batch gets boxes of other images, labels mixed by "
        "area, instead of mixup.",
    )
