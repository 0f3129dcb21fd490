"""Whether a network takes images of some size: it is tried."""

import torch
from torch import Tensor, nn

# What networks raise where images are too small, or not of the one size they are made for.
SIZE_ERRORS = (AssertionError, RuntimeError, ValueError)


def blank_logits(network: nn.Module, in_channels: int, size_px: int) -> Tensor:
    """Logits of two blank images; the network is left in the mode it was in.

    Raises:
        AssertionError, RuntimeError, ValueError: it can't take images of that size.
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
    """The first line of what an error says, or its kind."""
    return (str(error).splitlines() or [type(error).__name__])[0]
