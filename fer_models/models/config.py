"""Settings of a network."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from fer_models.base_config import FrozenConfig
from fer_models.dataset.image_format import THUMBNAIL

StageChannels = Annotated[int, Field(ge=8, le=4096)]
FACE_CNN_OPTIONS: dict[str, Any] = {
    "channels": None,
    "stem_stride": 2,
    "blocks": 1,
    "squeeze_excitation": False,
    "stochastic_depth": 0.0,
}
"""Options of face_cnn and their defaults, with which it is the network that it was without them."""
ARCHITECTURE = ("name", "width", "channels", "stem_stride", "blocks", "squeeze_excitation")
"""Settings that the shapes of the weights depend on, besides channels and size of the input."""


class NetworkConfig(FrozenConfig):
    """A network by name: one of our own, or any of timm's.

    Example:
        NetworkConfig(name="resnet34", image_size_px=224, in_channels=3, pretrained=True)
    """

    name: str = Field(
        default="compact_cnn",
        min_length=1,
        description="compact_cnn, face_cnn, scratch_cnn, scratch_mlp, dlib_resnet, or any timm "
        "network name.",
    )
    image_size_px: int | None = Field(
        default=None,
        ge=16,
        le=512,
        description="Side of the input, px; images are resized to it. None: that of the stored "
        "images; that of its weights if the network is pretrained for one size.",
    )
    in_channels: Literal[1, 3] | None = Field(
        default=None,
        description="Input channels; 3 repeats the grey image. None: those of the stored images.",
    )
    width: float = Field(
        default=1.0, gt=0, le=8, description="Channel multiplier, for our own networks only."
    )
    channels: tuple[StageChannels, StageChannels, StageChannels] | None = Field(
        default=None,
        description="face_cnn only: channels of its three stages, instead of width.",
    )
    stem_stride: Literal[1, 2] = Field(
        default=2,
        description="face_cnn only: stride of the first convolution; 1 computes about four times "
        "as much, on maps of twice the side.",
    )
    blocks: int = Field(
        default=1, ge=0, le=8, description="face_cnn only: additional residual blocks per stage."
    )
    squeeze_excitation: bool = Field(
        default=False,
        description="face_cnn only: channel attention after the convolutions of every block.",
    )
    stochastic_depth: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="face_cnn only: probability that the last residual block is skipped in "
        "training; it rises linearly from the first one.",
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout before the last layer.")
    pretrained: bool = Field(
        default=False,
        description="Start from pretrained weights: those of timm's networks from weights_dir or "
        "the hub, dlib's from weights_dir or an installed package, ours from ferflow itself.",
    )
    weights_dir: str | None = Field(
        default=None,
        min_length=1,
        description="Folder with pretrained weights (<timm name>.safetensors, .bin or .pth, or "
        "dlib's .dat); by default the hub's cache, then the hub.",
    )
    gradient_checkpointing: bool = Field(
        default=False,
        description="Recompute activations in the backward pass: less memory, more time.",
    )

    @property
    def side_px(self) -> int:
        """Side of the input, px; FER2013's where there are no images to follow."""
        return THUMBNAIL.size_px if self.image_size_px is None else self.image_size_px

    @property
    def input_channels(self) -> int:
        """Input channels; FER2013's one where there are no images to follow."""
        return THUMBNAIL.channels if self.in_channels is None else self.in_channels

    @model_validator(mode="after")
    def _check_weights_dir(self) -> Self:
        if self.weights_dir is not None and not self.pretrained:
            raise ValueError(
                f"weights_dir is {self.weights_dir!r}, but pretrained is false, so the network "
                "would train from scratch; set pretrained=true, or leave weights_dir out"
            )
        return self

    @model_validator(mode="after")
    def _check_face_cnn_options(self) -> Self:
        if self.name == "face_cnn":
            return self
        changed = [
            name for name, default in FACE_CNN_OPTIONS.items() if getattr(self, name) != default
        ]
        if changed:
            raise ValueError(
                f"{', '.join(changed)}: for network.name=face_cnn only, got {self.name!r}; leave "
                "them out, or set network.name=face_cnn"
            )
        return self
