"""The results of the flows: references to artifacts, never data."""

from pydantic import BaseModel, ConfigDict

from fer_models.batch.outcome import BatchOutcome
from fer_models.storage.refs import (
    DriftRef,
    EnsembleRef,
    EvaluationRef,
    ExplorationRef,
    ModelRef,
    PromotionRef,
    RunRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)


class PreparedData(BaseModel):
    """A validated, cleaned and split dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    snapshot: SnapshotRef
    validation: ValidationRef
    exploration: ExplorationRef


class TrainedModels(BaseModel):
    """The members, their ensembles, and the evaluations of all of them, in that order."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prepared: PreparedData
    tuning: TuningRef | None
    models: tuple[ModelRef, ...]
    ensemble: EnsembleRef
    evaluations: tuple[EvaluationRef, ...]


class Outcome(BaseModel):
    """The outcome of a run: the promotion, and the run with its report."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    trained: TrainedModels
    promotion: PromotionRef
    final_evaluation: EvaluationRef | None = None
    """Of the final fit on test images, if one was promoted and there are any."""
    run: RunRef


class Predicted(BaseModel):
    """New predictions, and their drift if it is watched and the champion made them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    outcome: BatchOutcome
    drift: DriftRef | None = None
