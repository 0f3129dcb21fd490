"""Which network, and how big."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig


class NetworkConfig(FrozenConfig):
    """A network by name: one of our own, or any of timm's."""

    name: str = Field(
        default="compact_cnn",
        min_length=1,
        description="compact_cnn, scratch_cnn, scratch_mlp, or any timm network name.",
    )
    image_size_px: int = Field(
        default=48, ge=16, le=512, description="Side of the input; images are resized to it."
    )
    in_channels: Literal[1, 3] = Field(
        default=1, description="Input channels; with 3 the grey image is repeated."
    )
    width: float = Field(
        default=1.0, gt=0, le=8, description="Channel multiplier of compact_cnn and scratch_*."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the last layer.")
    pretrained: bool = Field(
        default=False, description="Start from timm's pretrained weights (needs its hub)."
    )
