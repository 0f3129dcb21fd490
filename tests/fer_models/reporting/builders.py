"""A run without any training, and the parser of its page."""

from dataclasses import dataclass
from typing import Any

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.reporting.report import write_report
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    PromotionRef,
    RunRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from tests.fer_models.builders import (
    build_model,
    build_snapshot,
    build_tuning,
    build_validation,
)

Shared = tuple[ArtifactStore, "Run", RunRef]
MEMBERS = ("compact_cnn", "scratch_cnn", "resnet10t")


@dataclass(frozen=True)
class Run:
    snapshot: SnapshotRef
    validation: ValidationRef
    tuning: TuningRef | None
    evaluations: tuple[EvaluationRef, ...]
    ensemble: EnsembleRef
    promotion: PromotionRef

    def write(self, store: ArtifactStore, config: PipelineConfig | None = None) -> RunRef:
        return write_report(store, config or PipelineConfig(), *self.parts())

    def parts(self) -> list[Any]:
        return [getattr(self, name) for name in self.__dataclass_fields__]


def make_run(
    store: ArtifactStore,
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    tuned: bool = True,
    failed: int = 0,
    members: tuple[str, ...] = MEMBERS,
    **kwargs: Any,
) -> "Run":
    snapshot = build_snapshot(store, 350, fractions=fractions, **kwargs)
    models = [
        build_model(store, snapshot, name, 1.6 + 0.4 * i, 10 * i) for i, name in enumerate(members)
    ]
    ensemble = ensemble_models(store, snapshot, models, EnsembleConfig())
    evaluations = tuple(
        evaluate_model(store, snapshot, model, EvaluationConfig())
        for model in (*models, *ensemble.ensembles)
    )
    return Run(
        snapshot=snapshot,
        validation=build_validation(store, snapshot, failed),
        tuning=build_tuning(store) if tuned else None,
        evaluations=evaluations,
        ensemble=ensemble,
        promotion=promote_candidate(store, snapshot, ensemble.candidate, PromotionConfig()),
    )
