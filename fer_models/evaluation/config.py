"""Configuration of the evaluation."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class EvaluationConfig(FrozenConfig):
    """Metrics of a trained model."""

    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence level of all intervals, 0.5..1.",
    )
    calibration_bins: int = Field(
        default=15, ge=2, le=100, description="Number of equal-width bins of the calibration error."
    )
    calibration_folds: int = Field(
        default=5,
        ge=2,
        le=50,
        description="Folds of validation, so that its calibration error after temperature scaling "
        "is measured on images that the temperature was not fitted on.",
    )
    bootstrap_replicates: int = Field(
        default=1000,
        ge=100,
        le=100_000,
        description="Resamplings of the images behind the bootstrap intervals.",
    )
    bootstrap_seed: int = Field(default=0, ge=0, description="Seed of the resamplings.")
    min_slice_images: int = Field(
        default=30,
        ge=2,
        description="Slices with fewer images are shown, but left out of the gap between slices.",
    )
