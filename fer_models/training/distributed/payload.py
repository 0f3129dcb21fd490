"""What goes to the workers of a training and comes back, through processes that load little."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_models.training.config import MemberConfig
from fer_models.training.engine.results import EpochResult

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WorkerPayload:
    """What every worker is given; the data comes by reference from the node's object store."""

    member: MemberConfig
    seed: int
    data: Any
    channel: Any


@dataclass(frozen=True)
class WorkerResult:
    """What the first worker gives back."""

    curve: tuple[EpochResult, ...]
    best: EpochResult
    best_weights: "dict[str, Tensor]"
    seconds: float
