"""Settings of a member: its network, its training, and what is made with it afterwards."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.models.config import NetworkConfig
from fer_models.remote.config import PlacementConfig
from fer_models.training.settings.augmentation import AugmentConfig
from fer_models.training.settings.training import TrainingConfig

__all__ = [
    "BUNDLED",
    "TTA",
    "AugmentConfig",
    "FinalFitConfig",
    "MemberConfig",
    "OutOfFoldConfig",
    "TrainingConfig",
]

TTA = Literal["none", "flip", "ten_crop", "affine"]
BUNDLED = "bundled:"
"""Prefix of a teacher that ferflow ships."""


class FinalFitConfig(FrozenConfig):
    """The final fit of a candidate that has passed the promotion gate.

    It is trained once more on the training and validation images, for the epochs that were chosen.
    """

    enabled: bool = Field(
        default=False,
        description="Train it before the promotion, and make it the champion in place of the "
        "candidate. Only the test split is left to measure it on.",
    )


class OutOfFoldConfig(FrozenConfig):
    """Predictions of the training images by networks that were not trained on them.

    The training split is divided into folds, copies together and classes evenly. For each fold a
    further network is trained on the other folds, and predicts the fold that was left out.
    """

    folds: int = Field(
        default=0,
        ge=0,
        le=10,
        description="Number of folds, 2 to 10, and of networks that are trained besides the "
        "member's own; 0: off.",
    )

    @model_validator(mode="after")
    def _check_folds(self) -> Self:
        if self.folds == 1:
            raise ValueError("folds: expected 0 (off) or 2 to 10, got 1")
        return self


class MemberConfig(FrozenConfig):
    """A member, one entry of the ensemble: a network and its training.

    A run trains all members of its recipe, each to a stored model of its own. The best of them
    are combined into the ensemble.

    Example:
        MemberConfig(
            name="face_cnn",
            network=NetworkConfig(name="face_cnn", dropout=0.4),
            training=TrainingConfig(epochs=60, optimizer="muon", learning_rate=0.02),
            tta="flip",
        )
    """

    name: str = Field(
        min_length=1,
        max_length=60,
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="Unique within the run; part of the model id.",
    )
    network: NetworkConfig = Field(default=NetworkConfig(), description="The network.")
    training: TrainingConfig = Field(default=TrainingConfig(), description="How it is trained.")
    teachers: tuple[str, ...] = Field(
        default=(),
        description="Knowledge distillation: earlier members, or networks and ensembles that "
        "ferflow ships as bundled:NAME, whose predictions of the training images are part of the "
        "target, see training.teacher_weight.",
    )
    out_of_fold: OutOfFoldConfig = Field(
        default=OutOfFoldConfig(),
        description="Out-of-fold predictions of the training split, for stacking and calibration.",
    )
    seed_offset: int = Field(
        default=0,
        ge=0,
        description="Added to the run's seed, so that equal members draw different numbers.",
    )
    tta: TTA = Field(
        default="none",
        description="Test-time augmentation, the mean over views: none (1 view); flip (2, with the "
        "mirror image); ten_crop (10, five crops and their mirror images); affine (18, these and "
        "four small rotations and zooms).",
    )
    placement: PlacementConfig = Field(
        default=PlacementConfig(),
        description="Resources of its training on a Ray cluster (RAY_ADDRESS); with several "
        "training.workers their own settings apply.",
    )

    @property
    def trained_teachers(self) -> tuple[str, ...]:
        """The teachers that are members of the same run."""
        return tuple(name for name in self.teachers if not name.startswith(BUNDLED))

    @property
    def bundled_teachers(self) -> tuple[str, ...]:
        """The names of the shipped weights among the teachers, without their prefix."""
        return tuple(
            name.removeprefix(BUNDLED) for name in self.teachers if name.startswith(BUNDLED)
        )

    @model_validator(mode="after")
    def _check_bundled_teachers(self) -> Self:
        if self.bundled_teachers and self.out_of_fold.folds:
            raise ValueError(
                f"{self.name}: shipped weights ({', '.join(self.teachers)}) were trained on images "
                "that the folds leave out, so they can't teach them; set out_of_fold.folds=0, or "
                "choose members as teachers"
            )
        return self
