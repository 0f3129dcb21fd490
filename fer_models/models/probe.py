"""Try whether a network takes images of some size."""

import torch
from torch import Tensor, nn

# Raised by networks whose images are too small, or not of the one size they are built for.
SIZE_ERRORS = (AssertionError, RuntimeError, ValueError)


def blank_logits(network: nn.Module, in_channels: int, size_px: int) -> Tensor:
    """Logits of two blank images; the network's mode is restored.

    Raises:
        AssertionError, RuntimeError, ValueError: the network can't take images of that size.
    """
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            logits: Tensor = network(torch.zeros(2, in_channels, size_px, size_px))
    finally:
        network.train(training)
    return logits


def first_line(error: Exception) -> str:
    """First line of an error message, or the error's type if it has none."""
    return (str(error).splitlines() or [type(error).__name__])[0]
