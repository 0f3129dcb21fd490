"""Settings of experiment tracking."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig


class TrackingConfig(FrozenConfig):
    """Experiment tracking with wandb."""

    mode: Literal["offline", "online", "disabled"] = Field(
        default="offline",
        description="offline writes files for `wandb sync`; online needs WANDB_API_KEY.",
    )
    project: str = Field(default="ferflow", min_length=1, description="wandb project.")
    folder: str = Field(default=".ferflow/wandb", description="Folder of the run files.")
