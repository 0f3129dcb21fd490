"""Configuration of what a store keeps."""

from pydantic import Field

from fer_models.base_config import FrozenConfig


class RetentionConfig(FrozenConfig):
    """What a collection of the store keeps, besides champions and all that they refer to."""

    keep_days: float = Field(
        default=30.0,
        ge=0,
        description="Everything that was written or used in the last days is kept; in days.",
    )
    keep_runs: int = Field(
        default=10, ge=0, description="The newest runs are kept, however old they are."
    )
    min_age_h: float = Field(
        default=24.0,
        ge=0,
        description="What is younger is kept, whatever keep_days says; in hours. What a running "
        "run has written or used is always kept.",
    )
    delete: bool = Field(
        default=False,
        description="Whether the deployment house-keeping deletes; else it only reports.",
    )
