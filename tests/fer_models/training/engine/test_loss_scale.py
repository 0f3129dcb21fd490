"""The loss of several processes, whose gradients are averaged, is that of the whole batch."""

import pytest
import torch
from torch import Tensor, nn

from fer_models.training.config import MemberConfig, TrainingConfig
from fer_models.training.engine.module import FerModule
from fer_models.training.objective.losses import class_loss
from fer_models.training.process_group import ProcessGroup

WEIGHTS = torch.tensor([0.3, 2.0, 1.0, 4.0])
LABELS = torch.tensor([0, 1, 0, 2, 0, 3, 0, 2, 1])


class _TwoProcesses(ProcessGroup):
    """Sums what both processes give in the first round, and returns the sum in the second."""

    def __init__(self, rank: int, given: list[Tensor]) -> None:
        super().__init__(rank, 2)
        object.__setattr__(self, "given", given)

    def all_reduce(self, amount: Tensor) -> Tensor:
        given: list[Tensor] = self.given  # type: ignore[attr-defined]
        if len(given) < self.world_size:
            given.append(amount)
        return torch.stack(given).sum()


@pytest.mark.parametrize("loss", ["cross_entropy", "focal", "generalized"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_of_processes_average_to_that_of_the_batch(loss: str, weighted: bool) -> None:
    logits = torch.randn(9, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    config = TrainingConfig.model_validate({"loss": loss, "label_smoothing": 0.0})
    member = MemberConfig(name="one", training=config)
    weights_K = WEIGHTS if weighted else None
    given: list[Tensor] = []
    modules = [
        FerModule(nn.Identity(), member, 0, 1, weights_K, group=_TwoProcesses(rank, given))
        for rank in range(2)
    ]
    for _ in range(2):
        parts = [
            class_loss(logits[one.group.rows], LABELS[one.group.rows], config, weights_K)
            * one._loss_scale(LABELS[one.group.rows])
            for one in modules
        ]
    [of_processes] = torch.autograd.grad(torch.stack(parts).mean(), logits)
    [of_batch] = torch.autograd.grad(class_loss(logits, LABELS, config, weights_K), logits)
    torch.testing.assert_close(of_processes, of_batch)
