"""Which network, and how big."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig


class NetworkConfig(FrozenConfig):
    """A network by name: one of our own, or any of timm's."""

    name: str = Field(
        default="compact_cnn",
        min_length=1,
        description="compact_cnn, face_cnn, scratch_cnn, scratch_mlp, or any timm network name.",
    )
    image_size_px: int = Field(
        default=48, ge=16, le=512, description="Side of the input; images are resized to it."
    )
    in_channels: Literal[1, 3] = Field(
        default=1, description="Input channels; with 3 the grey image is repeated."
    )
    width: float = Field(
        default=1.0, gt=0, le=8, description="Channel multiplier of our own networks."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the last layer.")
    pretrained: bool = Field(
        default=False,
        description="Start from timm's pretrained weights (of weights_dir, or of its hub).",
    )
    weights_dir: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with pretrained weights, <timm name>.safetensors, .bin or .pth; by "
        "default the hub's cache, then the hub.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Compute activations anew in the backward pass: less memory, more time.",
    )

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        if self.weights_dir is not None and not self.pretrained:
            raise ValueError(
                f"weights_dir is {self.weights_dir!r}, but pretrained is false, so the network "
                "would train from scratch; set pretrained=true, or leave weights_dir out"
            )
        return self
