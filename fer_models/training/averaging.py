"""The moving average of a network's weights over the steps of its training."""

from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor, nn

from fer_models.training.module import FerModule

_WARM_UP_STEPS = 10


class WeightAverage(WeightAveraging):
    """Exponential moving average of weights and running statistics, a little younger at first.

    Lightning swaps it in for validation and keeps it in the checkpoint. The decay grows to its
    value, so that the random weights of the start are soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        """Take the decay a step, 0..1."""

        def averaged(average: Tensor, current: Tensor, num_averaged: Tensor | int) -> Tensor:
            steps = int(num_averaged)
            share = min(decay, (1 + steps) / (_WARM_UP_STEPS + steps))
            return average * share + current * (1 - share)

        super().__init__(avg_fn=averaged)

    @property
    def network(self) -> nn.Module:
        """The network with the averaged weights; only while a training runs."""
        assert self._average_model is not None
        module = self._average_model.module
        assert isinstance(module, FerModule)
        return module.network
