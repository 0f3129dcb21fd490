"""Progressive resizing: small images in the first epochs, the network's own size in the last.

A convolution costs as the square of the side, so an epoch at 32 px takes less than half the time of
one at 48 px, and what is learned there carries over (Howard 2018, DAWNBench; Tan, Le 2021).
"""

from torch import nn

from fer_models.errors import ConfigError
from fer_models.models.probe import SIZE_ERRORS, blank_logits, first_line
from fer_models.training.config import MemberConfig, TrainingConfig

_STEP_PX = 8


def epoch_size_px(config: TrainingConfig, full_px: int, epoch: int) -> int:
    """Side of the training images in an epoch (0 for the first), `start_size_px` to `full_px`.

    Each size gets the same share of the epochs that `resizing_fraction` sets aside; the last epoch
    has the full size in any case.
    """
    sizes = range(config.start_size_px, full_px, _STEP_PX) if config.start_size_px else range(0)
    growing_epochs = min(config.resizing_fraction * config.epochs, config.epochs - 1)
    if not sizes or epoch >= growing_epochs:
        return full_px
    return sizes[int(epoch / growing_epochs * len(sizes))]


def num_resizing_epochs(member: MemberConfig) -> int:
    """How many epochs have smaller images than the last."""
    training, full_px = member.training, member.network.image_size_px
    sizes = [epoch_size_px(training, full_px, epoch) for epoch in range(training.epochs)]
    return sizes.index(full_px)


def require_start_size(network: nn.Module, member: MemberConfig) -> None:
    """Refuse a first size that the network can't take.

    Raises:
        ConfigError: it is larger than the network's own, or the network takes no other size.
    """
    start_px, full_px = member.training.start_size_px, member.network.image_size_px
    if not start_px or start_px == full_px:
        return
    if start_px > full_px:
        raise ConfigError(
            f"{member.name}: training.start_size_px is {start_px}, larger than "
            f"network.image_size_px, {full_px}; images grow to that size, so start below it"
        )
    try:
        blank_logits(network, member.network.in_channels, start_px)
    except SIZE_ERRORS as error:
        raise ConfigError(
            f"{member.name}: {member.network.name} can't take {start_px} px images "
            f"({first_line(error)}); set training.start_size_px=0 (full size from the start) or a "
            "larger size"
        ) from error
