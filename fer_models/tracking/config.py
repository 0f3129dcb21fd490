"""Experiment tracking with wandb."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig


class TrackingConfig(FrozenConfig):
    """Where training curves go."""

    mode: Literal["offline", "online", "disabled"] = Field(
        default="offline",
        description="offline keeps files for `wandb sync`; online needs WANDB_API_KEY.",
    )
    project: str = Field(default="ferflow", min_length=1, description="wandb project.")
    folder: str = Field(default=".ferflow/wandb", description="Where offline runs are kept.")
