"""The two networks that the origin project trained from scratch.

Source: Aryan-Garg/Fast-Facial-Expression-Recognition. Its CNN applied softmax before the
cross-entropy, which keeps the loss above 1.16; these return logits.
"""

from itertools import pairwise

from torch import Tensor, nn

from fer_models.models.networks.layers import scaled

_CONV_CHANNELS = (16, 32, 64)
_CNN_HIDDEN = (1024, 512)
_MLP_HIDDEN = 1024


class ScratchCNN(nn.Module):
    """Three blocks of 3 x 3 convolution, ReLU and 2 x 2 max-pooling, then linear 1024, 512, K.

    At 3 x 224 x 224 and width 1 it has 51,933,223 parameters. Maps N x C x S x S images to
    N x K logits; S is fixed.
    """

    def __init__(
        self, in_channels: int, image_size_px: int, num_classes: int, width: float, dropout: float
    ) -> None:
        super().__init__()
        channels = [in_channels, *(scaled(count, width) for count in _CONV_CHANNELS)]
        layers: list[nn.Module] = []
        for ins, outs in pairwise(channels):
            # Padding keeps the side, so 224 px become 28, which gives the origin's parameter count.
            layers += [
                nn.Conv2d(ins, outs, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            ]
        self.features = nn.Sequential(*layers)
        first, second = (scaled(count, width) for count in _CNN_HIDDEN)
        side = image_size_px // 2 ** len(_CONV_CHANNELS)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels[-1] * side * side, first),
            nn.ReLU(inplace=True),
            nn.Linear(first, second),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(second, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits N x K of images N x C x S x S."""
        logits: Tensor = self.head(self.features(images))
        return logits


class ScratchMLP(nn.Module):
    """All pixels, linear 1024, ReLU, linear K: 154,148,871 parameters at 3 x 224 x 224.

    Maps N x C x S x S images to N x K logits; S is fixed.
    """

    def __init__(
        self, in_channels: int, image_size_px: int, num_classes: int, width: float, dropout: float
    ) -> None:
        super().__init__()
        hidden = scaled(_MLP_HIDDEN, width)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(in_channels * image_size_px**2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits N x K of images N x C x S x S."""
        logits: Tensor = self.head(images)
        return logits
