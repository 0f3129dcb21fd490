"""A network's passes on a GPU, recorded once as CUDA graphs and replayed.

A small network's kernels take less time than their launches from Python: replaying a recording
launches all of them at once. Source: torch.cuda.make_graphed_callables.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fer_models.errors import TrainingError
from fer_models.training.config import MemberConfig
from fer_models.training.objective.auxiliary_head import classifier_inputs


def forward_pass(network: nn.Module, images: Tensor, *, with_features: bool) -> tuple[Tensor, ...]:
    """Logits B x K and maybe what the classifier saw, B x F, of inputs B x C x S x S."""
    if not with_features:
        return (network(images),)
    with classifier_inputs(network) as features:
        logits = network(images)
    return logits, features[0]


class _Pass(nn.Module):
    """`forward_pass` as the module that torch records."""

    def __init__(self, network: nn.Module, *, with_features: bool) -> None:
        super().__init__()
        self.network = network
        self.with_features = with_features

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return forward_pass(self.network, images, with_features=self.with_features)


class GraphedForward:
    """A `forward_pass` that is replayed for full batches, one recording for each image size."""

    def __init__(self, network: nn.Module, member: MemberConfig, *, with_features: bool) -> None:
        self._network = network
        self._member = member
        self._with_features = with_features
        self._recordings: dict[torch.Size, Any] = {}

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """As `forward_pass`; in the precision of the autocast around the first call.

        Raises:
            TrainingError: the network does what can't be recorded, such as looking at a number.
        """
        if len(images) != self._member.training.batch_size:
            return forward_pass(self._network, images, with_features=self._with_features)
        if images.shape not in self._recordings:
            self._recordings[images.shape] = self._record(images)
        outputs: tuple[Tensor, ...] = self._recordings[images.shape](images)
        return outputs

    def _record(self, images: Tensor) -> Any:
        a_pass = _Pass(self._network, with_features=self._with_features)
        # The passes of the recording leave no trace: not in running statistics, nor in dropout.
        before = [buffer.clone() for buffer in self._network.buffers()]
        try:
            with torch.random.fork_rng(devices=[images.device]):
                recording = torch.cuda.make_graphed_callables(
                    a_pass, (images.clone(),), allow_unused_input=True
                )
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise TrainingError(
                f"{self._member.name}: {self._member.network.name} can't be recorded as a CUDA "
                f"graph ({str(error).splitlines()[0]}); set training.cuda_graph=false"
            ) from error
        with torch.no_grad():
            for buffer, value in zip(self._network.buffers(), before, strict=True):
                buffer.copy_(value)
        return recording


def can_graph(member: MemberConfig) -> bool:
    """Whether the member asks for recordings and does nothing in training that defies them."""
    training = member.training
    changes = training.frozen_epochs or member.network.gradient_checkpointing
    return training.cuda_graph and training.workers == 1 and not changes
