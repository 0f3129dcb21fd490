"""Which part of every batch one process of a training computes, and how processes exchange values.

Without a process group nothing is exchanged: a training in one process never notices.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """The share of process `rank` of `count`; every process sees each batch, and takes its own."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    @property
    def own(self) -> slice:
        """Cuts the rows of this process from those of all: sizes differ by one at most."""
        return slice(self.rank, None, self.count)

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.count == 1:
            return [value]
        values = [value] * self.count
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: T) -> T:
        """The value of the first process."""
        return self.gather(value)[0]

    def total(self, amount: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.count == 1:
            return amount
        summed = amount.detach().clone()
        dist.all_reduce(summed)
        return summed

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first process."""
        if self.count == 1:
            return
        with torch.no_grad():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)


WHOLE = Shard()
