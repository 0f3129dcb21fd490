"""Forward and backward passes on a GPU, captured once as CUDA graphs and replayed.

The kernels of a small network run faster than Python launches them; replaying a graph launches all
of them at once. Source: torch.cuda.make_graphed_callables.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fer_models.errors import TrainingError
from fer_models.training.config import MemberConfig
from fer_models.training.objective.auxiliary_head import classifier_inputs


def forward_pass(network: nn.Module, images: Tensor, *, with_features: bool) -> tuple[Tensor, ...]:
    """Logits B x K of inputs B x C x S x S and, if asked for, the classifier's input B x F."""
    if not with_features:
        return (network(images),)
    with classifier_inputs(network) as features:
        logits = network(images)
    return logits, features[0]


class _ForwardModule(nn.Module):
    """`forward_pass` as a module, which is what torch captures."""

    def __init__(self, network: nn.Module, *, with_features: bool) -> None:
        super().__init__()
        self.network = network
        self.with_features = with_features

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        return forward_pass(self.network, images, with_features=self.with_features)


class GraphedForward:
    """`forward_pass` replayed from CUDA graphs for full batches, one graph per image size."""

    def __init__(self, network: nn.Module, member: MemberConfig, *, with_features: bool) -> None:
        self._network = network
        self._member = member
        self._with_features = with_features
        self._graphs: dict[torch.Size, Any] = {}

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        """As `forward_pass`, in the autocast precision of the first call.

        Raises:
            TrainingError: the network can't be captured, for example because it reads a tensor's
                value on the CPU.
        """
        if len(images) != self._member.training.batch_size:
            return forward_pass(self._network, images, with_features=self._with_features)
        if images.shape not in self._graphs:
            self._graphs[images.shape] = self._capture(images)
        outputs: tuple[Tensor, ...] = self._graphs[images.shape](images)
        return outputs

    def _capture(self, images: Tensor) -> Any:
        module = _ForwardModule(self._network, with_features=self._with_features)
        # The warm-up passes must change neither running statistics nor the random state.
        before = [buffer.clone() for buffer in self._network.buffers()]
        try:
            with torch.random.fork_rng(devices=[images.device]):
                graphed = torch.cuda.make_graphed_callables(
                    module, (images.clone(),), allow_unused_input=True
                )
        except RuntimeError as error:
            if isinstance(error, torch.OutOfMemoryError):
                raise
            raise TrainingError(
                f"{self._member.name}: {self._member.network.name} can't be captured as a CUDA "
                f"graph ({str(error).splitlines()[0]}); set training.cuda_graph=false"
            ) from error
        with torch.no_grad():
            for buffer, value in zip(self._network.buffers(), before, strict=True):
                buffer.copy_(value)
        return graphed


def can_graph(member: MemberConfig) -> bool:
    """Whether the member asks for CUDA graphs and its training can be captured."""
    training = member.training
    is_dynamic = training.frozen_epochs or member.network.gradient_checkpointing
    # A replay overwrites the gradients of the one before, which must not be added to them.
    in_one_pass = training.workers == 1 and training.accumulate == 1
    return training.cuda_graph and in_one_pass and not is_dynamic
