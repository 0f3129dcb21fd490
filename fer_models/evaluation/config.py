"""How models are scored."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class EvaluationConfig(FrozenConfig):
    """Metrics of a trained model."""

    confidence: float = Field(
        default=0.95, gt=0.5, lt=1, description="Coverage of the intervals around accuracy."
    )
    calibration_bins: int = Field(
        default=15, ge=2, le=100, description="Equal-width bins of the calibration error."
    )
