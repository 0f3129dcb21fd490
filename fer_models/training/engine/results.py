"""The lines of a training curve: plain values, for processes that load no torch."""

import math

from pydantic import BaseModel, ConfigDict


class EpochResult(BaseModel):
    """One line of the training curve; losses are cross-entropies, the other scores 0..1.

    The training loss is the one that is minimised: labels smoothed, classes weighted.
    """

    model_config = ConfigDict(frozen=True)
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    train_macro_f1: float
    train_auroc: float | None = None
    validation_loss: float
    validation_accuracy: float
    validation_macro_f1: float
    validation_auroc: float | None = None
    learning_rate: float
    images_per_s: float

    def __str__(self) -> str:
        """For a line of progress."""
        return f"loss {self.train_loss:.3f}, validation accuracy {self.validation_accuracy:.3f}"

    @property
    def score(self) -> tuple[float, float]:
        """Larger is better: the accuracy decides, then the lower loss."""
        loss = self.validation_loss
        return self.validation_accuracy, -loss if math.isfinite(loss) else -math.inf


class StepResult(BaseModel):
    """Scores of the training batches since the last such line, after step number `step`."""

    model_config = ConfigDict(frozen=True)
    step: int
    scores: dict[str, float]
