"""What the flows hand to each other: references to artifacts, never data."""

from pydantic import BaseModel, ConfigDict

from fer_models.storage.refs import (
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
    """The members, their ensembles, and the metrics of all of them (same order)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prepared: PreparedData
    tuning: TuningRef | None
    models: tuple[ModelRef, ...]
    ensemble: EnsembleRef
    evaluations: tuple[EvaluationRef, ...]


class Outcome(BaseModel):
    """The end of a run: what was decided, and where it can be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    trained: TrainedModels
    promotion: PromotionRef
    run: RunRef
