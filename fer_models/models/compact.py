"""A small residual network for 48 px grey faces."""

from torch import Tensor, nn

from fer_models.models.layers import scaled

_STAGE_CHANNELS = (32, 64, 128, 256)


class CompactCNN(nn.Module):
    """Residual CNN for small faces: 1.2 M parameters, 35 M multiply-adds at 48 px and width 1.

    A strided stem, four stages of one residual block each (all but the first halve the side),
    global average pooling and one linear layer (He et al. 2016, arXiv:1512.03385, scaled down).
    Maps N x C x S x S images to N x K logits.
    """

    def __init__(self, in_channels: int, num_classes: int, width: float, dropout: float) -> None:
        super().__init__()
        channels = [scaled(count, width) for count in _STAGE_CHANNELS]
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, channels[0], 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(inplace=True),
        )
        before = [channels[0], *channels[:-1]]
        self.stages = nn.Sequential(
            *(
                ResidualBlock(ins, outs, stride=1 if number == 0 else 2)
                for number, (ins, outs) in enumerate(zip(before, channels, strict=True))
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(dropout), nn.Linear(channels[-1], num_classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits N x K of images N x C x S x S."""
        logits: Tensor = self.head(self.pool(self.stages(self.stem(images))))
        return logits


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut that is projected where the shape changes."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride, ceil_mode=True) if stride > 1 else nn.Identity(),
                nn.Conv2d(in_channels, out_channels, 1, bias=False),
                nn.BatchNorm2d(out_channels),
            )
        # A block that starts as the identity trains steadily at a high learning rate.
        last = self.body[-1]
        assert isinstance(last, nn.BatchNorm2d)
        nn.init.zeros_(last.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Features N x C' x S' x S' of N x C x S x S, S' = ceil(S / stride)."""
        features: Tensor = nn.functional.relu(self.body(images) + self.shortcut(images))
        return features
