"""`FaceCNN`, our network for accuracy on 48 px grey faces, and its blocks."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from fer_models.models.config import NetworkConfig
from fer_models.models.networks.compact import PooledBlock, PooledCNN
from fer_models.models.networks.layers import aligned

_CHANNELS = (96, 192, 352)
_MULTIPLE = 32
_SQUEEZE = 8


class FaceCNN(PooledCNN):
    """Residual CNN for accuracy: 3.9 M parameters, 139 M multiply-adds at 48 px and width 1.

    As `CompactCNN`, three times as wide, with a larger stem and one more convolution per stage.
    Channel counts are multiples of 32: 64, 128 and 224 channels ran at 1.1 times the images/s of
    62, 125 and 229 on two cores with AVX-512.
    """

    def __init__(self, config: NetworkConfig, num_classes: int) -> None:
        """Build it; see `NetworkConfig` for the options."""
        channels = config.channels or [aligned(c, config.width, _MULTIPLE) for c in _CHANNELS]
        stem = _stem(config, channels[0] // 2)
        before = [stem.out_channels, *channels[:-1]]
        num_blocks = len(channels) * config.blocks
        stages: list[nn.Module] = []
        residual = 0
        for ins, outs in zip(before, channels, strict=True):
            stages.append(PooledBlock(ins, outs, _attention(outs, config)))
            for _ in range(config.blocks):
                residual += 1
                drop = config.stochastic_depth * residual / num_blocks
                stages.append(ShortcutBlock(outs, _attention(outs, config), drop))
        super().__init__(stem, stages, channels[-1], (num_classes, config.dropout))


def _stem(config: NetworkConfig, channels: int) -> nn.Conv2d:
    kernel, padding = (6, 2) if config.stem_stride == 2 else (3, 1)
    return nn.Conv2d(
        config.input_channels, channels, kernel, config.stem_stride, padding, bias=False
    )


def _attention(channels: int, config: NetworkConfig) -> list[nn.Module]:
    return [SqueezeExcitation(channels)] if config.squeeze_excitation else []


class ShortcutBlock(nn.Module):
    """A residual block of one convolution, which stochastic depth may skip."""

    def __init__(self, channels: int, attention: list[nn.Module], drop: float) -> None:
        """`drop` is the probability that an image skips the block in training."""
        super().__init__()
        self.refined = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            *attention,
        )
        self.drop = drop

    def forward(self, features: Tensor) -> Tensor:
        """Features N x C x S x S, the shape of the input."""
        refined: Tensor = self.refined(features)
        if self.drop and self.training:
            refined = refined * self._kept(len(features), features)
        return functional.relu(features + refined)

    def _kept(self, num: int, like: Tensor) -> Tensor:
        """0 for a skipped image, else 1 / (1 - drop), which keeps the mean (Huang et al. 2016)."""
        kept = torch.rand((num, 1, 1, 1), device=like.device) >= self.drop
        return kept.to(like.dtype) / (1 - self.drop)


class SqueezeExcitation(nn.Module):
    """Channel attention (Hu et al. 2018): every channel is scaled by a weight of 0 to 1.

    The weights are computed from the mean of every channel over the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(8, channels // _SQUEEZE)
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Features N x C x S x S, the shape of the input."""
        scaled: Tensor = features * self.weights(features)
        return scaled
