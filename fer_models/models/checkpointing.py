"""Gradient checkpointing: activations are computed anew in the backward pass, not kept.

Batch normalisation sees each batch twice then, so that its running statistics move twice as far in
a step; gradients are the same.
"""

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fer_models.errors import ConfigError


def checkpoint_gradients(network: nn.Module, name: str) -> None:
    """Make `network` keep less for the backward pass, at the price of a second forward pass.

    timm's networks know how, but for some; of those, and of our own, the ones built as VGG is
    (a sequence `features` with pooling in it) are checkpointed from pooling to pooling.

    Raises:
        ConfigError: the network is none of these.
    """
    try:
        switch = getattr(network, "set_grad_checkpointing", None)
        if switch is not None:
            switch(True)
            return
    except (AssertionError, NotImplementedError):
        pass  # how timm's networks say that they can't
    features = getattr(network, "features", None)
    if type(features) is not nn.Sequential or len(_stages(features)) < 2:
        raise ConfigError(
            f"network {name}: it can't checkpoint gradients; set "
            "network.gradient_checkpointing=false, and to save memory a smaller "
            "training.batch_size or network.image_size_px"
        )
    network.features = _CheckpointedStages(*features)


class _CheckpointedStages(nn.Sequential):
    """The layers of a sequence under their old names, checkpointed from pooling to pooling."""

    def forward(self, images: Tensor) -> Tensor:
        """Features of images, as the sequence gives them."""
        for stage in _stages(self):
            if torch.is_grad_enabled():
                images = checkpoint(stage, images, use_reentrant=False)
            else:
                images = stage(images)
        return images


def _stages(layers: nn.Sequential) -> list[nn.Sequential]:
    """The layers in pieces that end in max-pooling.

    So every piece begins with a convolution, never with an activation that changes its input.
    """
    stages: list[list[nn.Module]] = [[]]
    for layer in layers:
        stages[-1].append(layer)
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
    return [nn.Sequential(*stage) for stage in stages if stage]
