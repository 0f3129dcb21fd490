"""Settings of a network."""

from typing import Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig


class NetworkConfig(FrozenConfig):
    """A network by name: one of our own, or any of timm's.

    Example:
        NetworkConfig(name="resnet34", image_size_px=224, in_channels=3, pretrained=True)
    """

    name: str = Field(
        default="compact_cnn",
        min_length=1,
        description="compact_cnn, face_cnn, scratch_cnn, scratch_mlp, or any timm network name.",
    )
    image_size_px: int = Field(
        default=48, ge=16, le=512, description="Side of the input, px; images are resized to it."
    )
    in_channels: Literal[1, 3] = Field(
        default=1, description="Input channels; 3 repeats the grey image."
    )
    width: float = Field(
        default=1.0, gt=0, le=8, description="Channel multiplier, for our own networks only."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the last layer.")
    pretrained: bool = Field(
        default=False,
        description="Start from timm's pretrained weights, from weights_dir or from the hub.",
    )
    weights_dir: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with pretrained weights (<timm name>.safetensors, .bin or .pth); by "
        "default the hub's cache, then the hub.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Recompute activations in the backward pass: less memory, more time.",
    )

    @model_validator(mode="after")
    def _check_weights_dir(self) -> Self:
        if self.weights_dir is not None and not self.pretrained:
            raise ValueError(
                f"weights_dir is {self.weights_dir!r}, but pretrained is false, so the network "
                "would train from scratch; set pretrained=true, or leave weights_dir out"
            )
        return self
