"""Exponential moving average (EMA) of a network's weights over its training steps."""

from collections.abc import Sequence

import torch
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn

from fer_models.training.engine.module import FerModule

_WARMUP_STEPS = 10


class EMA(WeightAveraging):
    """EMA of weights and running statistics, with a warm-up of the decay.

    Lightning validates with it and stores it in the checkpoint. The decay of step n is
    min(decay, (1 + n) / (10 + n)), so the random initial weights fade quickly. torch's
    `get_ema_multi_avg_fn` has no warm-up, and timm's ModelEmaV3 warms up along another curve.
    """

    def __init__(self, decay: float) -> None:
        """Set the final decay per step, 0..1."""

        def update(
            averages: Sequence[Tensor], currents: Sequence[Tensor], num_averaged: Tensor | int
        ) -> None:
            # The count stays a tensor: reading its value would synchronise the GPU in every step.
            steps = torch.as_tensor(num_averaged)
            new_share = 1 - ((1 + steps) / (_WARMUP_STEPS + steps)).clamp(max=decay)
            for average, current in zip(averages, currents, strict=True):
                if average.is_floating_point():
                    average.lerp_(current, new_share.to(average.dtype))
                else:
                    average.copy_(current)

        super().__init__(multi_avg_fn=update)

    @property
    def network(self) -> nn.Module:
        """The network with the averaged weights; available while training runs."""
        assert self._average_model is not None
        module = self._average_model.module
        assert isinstance(module, FerModule)
        return module.network
