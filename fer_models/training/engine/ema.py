"""The moving average of a network's weights over the steps of its training."""

from collections.abc import Sequence

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn

from fer_models.training.engine.module import FerModule

_WARM_UP_STEPS = 10


class EMA(WeightAveraging):
    """Exponential moving average of weights and running statistics, a little younger at first.

    Lightning swaps it in for validation and keeps it in the checkpoint. The decay grows to its
    value, so that the random weights of the start are soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        """Take the decay a step, 0..1."""

        def blend(
            averages: Sequence[Tensor], currents: Sequence[Tensor], num_averaged: Tensor | int
        ) -> None:
            # The count stays a tensor: looking at it would make a GPU wait in every step.
            steps = torch.as_tensor(num_averaged)
            new_share = 1 - ((1 + steps) / (_WARM_UP_STEPS + steps)).clamp(max=decay)
            for average, current in zip(averages, currents, strict=True):
                if average.is_floating_point():
                    average.lerp_(current, new_share.to(average.dtype))
                else:
                    average.copy_(current)

        super().__init__(multi_avg_fn=blend)

    @property
    def network(self) -> nn.Module:
        """The network with the averaged weights; only while a training runs."""
        assert self._average_model is not None
        module = self._average_model.module
        assert isinstance(module, FerModule)
        return module.network
