"""Progressive resizing: small images in the first epochs, the network's input size in the last.

The cost of a convolution rises with the square of the side, so an epoch at 32 px takes less than
half the time of one at 48 px, and its weights carry over (Howard 2018, DAWNBench; Tan, Le 2021).
"""

from torch import nn

from fer_models.errors import ConfigError
from fer_models.models.probe import SIZE_ERRORS, blank_logits, first_line
from fer_models.training.config import MemberConfig, TrainingConfig

_STEP_PX = 8


def epoch_size_px(config: TrainingConfig, full_px: int, epoch: int) -> int:
    """Side of the training images in an epoch (0 is the first), `start_size_px` to `full_px`.

    The first `resizing_fraction` of the epochs is divided equally between the smaller sizes; the
    last epoch always has the full size.
    """
    sizes = range(config.start_size_px, full_px, _STEP_PX) if config.start_size_px else range(0)
    resizing_epochs = min(config.resizing_fraction * config.epochs, config.epochs - 1)
    if not sizes or epoch >= resizing_epochs:
        return full_px
    return sizes[int(epoch / resizing_epochs * len(sizes))]


def num_resizing_epochs(member: MemberConfig) -> int:
    """Number of epochs with images smaller than the full size."""
    training, full_px = member.training, member.network.side_px
    sizes = [epoch_size_px(training, full_px, epoch) for epoch in range(training.epochs)]
    return sizes.index(full_px)


def require_start_size(network: nn.Module, member: MemberConfig) -> None:
    """Reject a start size that the network can't take.

    Raises:
        ConfigError: the start size is larger than the network's input size, or the network takes
            only its own input size.
    """
    start_px, full_px = member.training.start_size_px, member.network.side_px
    if not start_px or start_px == full_px:
        return
    if start_px > full_px:
        raise ConfigError(
            f"{member.name}: training.start_size_px is {start_px}, larger than "
            f"network.image_size_px, {full_px}; set training.start_size_px=0 (no progressive "
            f"resizing) or at most {full_px}"
        )
    try:
        blank_logits(network, member.network.input_channels, start_px)
    except SIZE_ERRORS as error:
        raise ConfigError(
            f"{member.name}: {member.network.name} can't take {start_px} px images "
            f"({first_line(error)}); set training.start_size_px=0 (no progressive resizing) or a "
            "larger size"
        ) from error
