"""Gradient checkpointing: activations are recomputed in the backward pass instead of kept.

Batch normalisation then sees every batch twice, so its running statistics move twice as far per
step; gradients are the same.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fer_models.errors import ConfigError


def checkpoint_gradients(network: nn.Module, name: str) -> None:
    """Make `network` keep fewer activations, at the cost of a second forward pass.

    Most of timm's networks support it themselves. Others that are built like VGG (a sequence
    `features` with pooling layers, as in `scratch_cnn`) are checkpointed from pooling to pooling.

    Raises:
        ConfigError: the network supports neither.
    """
    try:
        switch = getattr(network, "set_grad_checkpointing", None)
        if switch is not None:
            switch(True)
            return
    except (AssertionError, NotImplementedError):
        pass  # raised by timm's networks that don't support it
    features = getattr(network, "features", None)
    if type(features) is not nn.Sequential or len(_stages(features)) < 2:
        raise ConfigError(
            f"network {name}: no support for gradient checkpointing; set "
            "network.gradient_checkpointing=false, and to save memory a smaller "
            "training.batch_size or network.image_size_px"
        )
    network.features = _CheckpointedStages(*features)


class _CheckpointedStages(nn.Sequential):
    """A sequence checkpointed from pooling to pooling, its layers under their old names.

    torch's `checkpoint_sequential` splits by the number of layers instead, which may put an
    in-place activation first in a segment, and does not checkpoint the last segment.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Features, as of the plain sequence."""
        for stage in _stages(self):
            if torch.is_grad_enabled():
                images = checkpoint(stage, images, use_reentrant=False)
            else:
                images = stage(images)
        return images


def _stages(layers: nn.Sequential) -> list[nn.Sequential]:
    """Split the layers after every max-pooling.

    So every segment begins with a convolution, never with an in-place activation.
    """
    stages: list[list[nn.Module]] = [[]]
    for layer in layers:
        stages[-1].append(layer)
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
    return [nn.Sequential(*stage) for stage in stages if stage]
