"""The processes of one training: the rows of a batch that each computes, and their collectives.

With a world size of 1 nothing is communicated, so `torch.distributed` need not be initialised.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """Process `rank` of `world_size`; each process computes its own rows of every batch."""

    rank: int = 0
    world_size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is rank 0, which reports for all processes."""
        return self.rank == 0

    @property
    def rows(self) -> slice:
        """The rows of a batch that this process computes; counts differ by at most one."""
        return slice(self.rank, None, self.world_size)

    def all_gather(self, value: T) -> list[T]:
        """The values of all processes, in order of their rank."""
        if self.world_size == 1:
            return [value]
        values = [value] * self.world_size
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: T) -> T:
        """The value of the first process."""
        return self.all_gather(value)[0]

    def all_reduce(self, amount: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.world_size == 1:
            return amount
        summed = amount.detach().clone()
        dist.all_reduce(summed)
        return summed

    def broadcast_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors in place with those of the first process."""
        if self.world_size == 1:
            return
        with torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


SINGLE_PROCESS = ProcessGroup()
