"""Input and result of the workers; light to import, because Ray's helper processes load it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_models.training.config import MemberConfig
from fer_models.training.engine.results import EpochResult

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class WorkerPayload:
    """Input of every worker; `data` is a reference into Ray's object store."""

    member: MemberConfig
    seed: int
    data: Any
    channel: Any


@dataclass(frozen=True)
class WorkerResult:
    """Result of the first worker."""

    curve: tuple[EpochResult, ...]
    best: EpochResult
    best_weights: "dict[str, Tensor]"
    seconds: float
