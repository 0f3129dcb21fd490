"""Settings of experiment tracking."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig

Mode = Literal["auto", "offline", "online", "disabled"]
Uploaded = Literal["model", "dataset", "report"]


class TrackingConfig(FrozenConfig):
    """Experiment tracking with wandb.

    Example:
        TrackingConfig(mode="online", project="faces", registry="wandb-registry-model/fer")
    """

    mode: Mode = Field(
        default="auto",
        description="offline writes files for `wandb sync`; online needs a key (`wandb login`); "
        "auto: WANDB_MODE, else online if there is a key, else offline.",
    )
    project: str = Field(default="ferflow", min_length=1, description="wandb project.")
    folder: str = Field(default=".ferflow/wandb", description="Folder of the run files.")
    artifacts: bool = Field(
        default=True,
        description="Log models, datasets and reports as wandb artifacts that refer to the store.",
    )
    upload: tuple[Uploaded, ...] = Field(
        default=(),
        description="Of these artifacts all files are uploaded: weights, images of the dataset, "
        "or the report page with its faces. The others refer to the store.",
    )
    registry: str = Field(
        default="",
        description="Collection that promoted models are linked to, such as "
        "wandb-registry-model/fer. Empty: none.",
    )
