"""`DlibResNet`, the network of dlib's face recognition, for fine-tuning on expressions.

Source: dlib's `dnn_face_recognition_ex.cpp` (King 2017), a ResNet-34 with a few layers removed and
half the filters. Its last two blocks are left out: they have 2.4 of its 5.6 M parameters, would see
maps of 2 x 2 at 96 px, and the weights of the first of them are close to zero.
"""

from torch import Tensor, nn
from torch.nn import functional

STEM_CHANNELS = 32
STAGES = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 2, True))
"""Channels and blocks of each stage, and whether its first block halves the side."""


class DlibResNet(nn.Module):
    """25 convolutions with batch normalisation: 3.2 M parameters, usual input 3 x 150 x 150.

    Maps N x C x S x S images to N x K logits. dlib's network has the running statistics folded into
    scale and shift, and 128 features instead of logits. Where dlib leaves the last row and column
    of a convolution with stride 2 empty (even sides), this one computes them.
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, STEM_CHANNELS, 7, stride=2, bias=False),
            nn.BatchNorm2d(STEM_CHANNELS),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2),
        )
        blocks: list[nn.Module] = []
        before = STEM_CHANNELS
        for channels, num_blocks, halves in STAGES:
            for number in range(num_blocks):
                blocks.append(ResidualBlock(before, channels, halves=halves and number == 0))
                before = channels
        self.stages = nn.Sequential(*blocks)
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(before, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits N x K of images N x C x S x S."""
        logits: Tensor = self.head(self.stages(self.stem(images)))
        return logits


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut without weights: averages, and zeros for new channels."""

    def __init__(self, in_channels: int, out_channels: int, *, halves: bool) -> None:
        """With `halves`, the side of the output is half that of the input, at least 1."""
        super().__init__()
        stride, padding = (2, 0) if halves else (1, 1)
        self.halves = halves
        self.new_channels = out_channels - in_channels
        self.refined = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride, padding, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features N x C' x S' x S' of inputs N x C x S x S."""
        shortcut = features
        if self.halves:
            # At the end only: windows of 3 x 3 begin where the averages of 2 x 2 beside them do.
            before = 0 if features.shape[-1] > 1 else 1
            features = functional.pad(features, (before, 1, before, 1))
            shortcut = shortcut if before else functional.avg_pool2d(shortcut, 2)
        if self.new_channels:
            shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.new_channels))
        return functional.relu(shortcut + self.refined(features))
