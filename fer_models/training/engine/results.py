"""Results of an epoch or of some steps: plain values, usable without torch."""

import math

from pydantic import BaseModel, ConfigDict


class EpochResult(BaseModel):
    """One row of the training curve; losses are cross-entropies, other scores are 0..1.

    The training loss includes label smoothing and class weights, but no auxiliary loss. Validation
    scores are None in a training without validation images.
    """

    model_config = ConfigDict(frozen=True)
    epoch: int
    step: int
    train_loss: float
    train_accuracy: float
    train_macro_f1: float
    train_auroc: float | None = None
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    validation_macro_f1: float | None = None
    validation_auroc: float | None = None
    learning_rate: float
    images_per_s: float

    def __str__(self) -> str:
        """Summary for a progress note."""
        text = f"loss {self.train_loss:.3f}"
        if self.validation_accuracy is None:
            return text
        return f"{text}, validation accuracy {self.validation_accuracy:.3f}"

    @property
    def score(self) -> tuple[float, float]:
        """Ranking key, larger is better: accuracy first, then lower loss.

        Without validation images every epoch ranks above the one before.
        """
        accuracy, loss = self.validation_accuracy, self.validation_loss
        if accuracy is None or loss is None:
            return float(self.epoch), 0.0
        return accuracy, -loss if math.isfinite(loss) else -math.inf


class StepResult(BaseModel):
    """Scores of the training batches since the last StepResult, after optimiser step `step`."""

    model_config = ConfigDict(frozen=True)
    step: int
    scores: dict[str, float]
