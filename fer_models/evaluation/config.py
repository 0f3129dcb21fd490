"""Configuration of the evaluation."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class EvaluationConfig(FrozenConfig):
    """Metrics of a trained model."""

    confidence: float = Field(
        default=0.95,
        gt=0.5,
        lt=1,
        description="Confidence level of the accuracy intervals, 0.5..1.",
    )
    calibration_bins: int = Field(
        default=15, ge=2, le=100, description="Number of equal-width bins of the calibration error."
    )
