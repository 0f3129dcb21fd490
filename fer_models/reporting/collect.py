"""All facts of a report, read from the store once."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from fer_models.cleaning.config import CleaningConfig
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot, open_tables
from fer_models.ensembling.ensemble import ENSEMBLE_FILE, LINEAGE_FILE
from fer_models.errors import DataError
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import measure_model, read_evaluation
from fer_models.evaluation.predictions import Predictions, model_ref, read_predictions
from fer_models.evaluation.results import TEST, VALIDATION, ModelMetrics, SplitMetrics
from fer_models.promotion.promote import DECISION_FILE
from fer_models.storage.refs import (
    EnsembleRef,
    EvaluationRef,
    PromotionRef,
    SnapshotRef,
    TuningRef,
    ValidationRef,
)
from fer_models.storage.store import ArtifactStore
from fer_models.tuning.config import TuningConfig

_CURVE_FILE = "curve.csv"


class RunConfig(Protocol):
    """The part of a run's configuration that the report reads (see `flows.pipeline_config`)."""

    @property
    def name(self) -> str:
        """Name of the recipe."""

    @property
    def seed(self) -> int:
        """Seed of all random draws."""

    @property
    def cleaning(self) -> CleaningConfig:
        """How the data was cleaned."""

    @property
    def tuning(self) -> TuningConfig:
        """The hyper-parameter search."""

    @property
    def evaluation(self) -> EvaluationConfig:
        """How models are scored."""

    def model_dump(self, *, mode: str, exclude: set[str] | None = None) -> dict[str, Any]:
        """All settings as JSON values."""

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """All settings as JSON text."""


@dataclass(frozen=True)
class RunRefs:
    """The artifacts of one run."""

    snapshot: SnapshotRef
    validation: ValidationRef
    tuning: TuningRef | None
    evaluations: tuple[EvaluationRef, ...]
    ensemble: EnsembleRef
    promotion: PromotionRef

    def ids(self) -> dict[str, Any]:
        """The artifact ids by kind, as plain JSON values."""
        return {
            "snapshot": self.snapshot.id,
            "validation": self.validation.id,
            "tuning": self.tuning.id if self.tuning else None,
            "evaluations": [evaluation.id for evaluation in self.evaluations],
            "ensemble": self.ensemble.id,
            "promotion": self.promotion.id,
        }


@dataclass(frozen=True)
class ModelRow:
    """One row of the leaderboard: a member (one network) or an ensemble of members."""

    metrics: ModelMetrics
    is_candidate: bool
    weights: tuple[tuple[str, float], ...]
    """Name and weight of each weighted member of an ensemble; empty for a member."""
    curve: pd.DataFrame | None
    """Training curve by epoch; None for an ensemble."""
    lineage: dict[str, Any]

    @property
    def headline(self) -> SplitMetrics:
        """Metrics of the test split, or of validation if there is no test split."""
        splits = self.metrics.splits
        return splits[TEST] if TEST in splits else splits[VALIDATION]


@dataclass(frozen=True)
class RunFacts:
    """The input of the page; `rows` holds members first, then ensembles."""

    config: RunConfig
    refs: RunRefs
    snapshot: DatasetSnapshot
    rows: tuple[ModelRow, ...]
    choice: dict[str, Any]
    decision: dict[str, Any]
    checks: list[dict[str, Any]]
    trials: list[dict[str, Any]]
    tuning_info: dict[str, Any]
    best_setting: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    """Further tables of the snapshot: `truth` (synthetic data) and `rejected` rows."""
    predictions: Predictions
    """Of the candidate, on the headline split."""
    has_test: bool

    @property
    def candidate(self) -> ModelRow:
        """The row of the candidate."""
        return next(row for row in self.rows if row.is_candidate)


def collect(store: ArtifactStore, config: RunConfig, refs: RunRefs) -> RunFacts:
    """Read the facts of a run.

    Raises:
        DataError: evaluations or the choice belong to another snapshot.
        StoreError: an artifact is absent or damaged.
    """
    snapshot = open_snapshot(store, refs.snapshot)
    choice = store.read_json(refs.ensemble, ENSEMBLE_FILE)
    metrics = {e.model_id: read_evaluation(store, e) for e in refs.evaluations}
    _check_same_snapshot(refs, choice, metrics.values())
    predictions = read_predictions(store, snapshot, refs.ensemble.candidate)
    has_test = len(predictions[TEST].labels) > 0
    tuning = refs.tuning
    return RunFacts(
        config=config,
        refs=refs,
        snapshot=snapshot,
        rows=tuple(
            _row(store, snapshot, config, entry, choice, metrics) for entry in choice["candidates"]
        ),
        choice=choice,
        decision=store.read_json(refs.promotion, DECISION_FILE),
        checks=store.read_json(refs.validation, "results.json"),
        trials=store.read_json(tuning, "trials.json") if tuning else [],
        tuning_info=store.info(tuning) if tuning else {},
        best_setting=store.read_json(tuning, "best.json") if tuning else {},
        tables=open_tables(store, refs.snapshot),
        predictions=predictions[TEST if has_test else VALIDATION],
        has_test=has_test,
    )


def _check_same_snapshot(
    refs: RunRefs, choice: dict[str, Any], metrics: Iterable[ModelMetrics]
) -> None:
    found = {f"evaluation of {m.model_id}": m.snapshot_id for m in metrics}
    found[f"ensemble {refs.ensemble.id}"] = choice["snapshot_id"]
    problems = [
        f"{name} belongs to snapshot {snapshot_id}"
        for name, snapshot_id in found.items()
        if snapshot_id != refs.snapshot.id
    ]
    if problems:
        raise DataError(
            f"expected all artifacts of a report to belong to snapshot {refs.snapshot.id}", problems
        )


def _row(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    config: RunConfig,
    entry: dict[str, Any],
    choice: dict[str, Any],
    metrics: dict[str, ModelMetrics],
) -> ModelRow:
    model = model_ref(store, entry["model_id"])
    names = {c["model_id"]: c["name"] for c in choice["candidates"]}
    weights = choice["weights"].get(entry["method"], {})
    curve = None
    if _CURVE_FILE in store.describe(model).files:
        curve = pd.read_csv(io.BytesIO(store.read_file(model, _CURVE_FILE)))
    measured = metrics.get(model.id) or measure_model(store, snapshot, model, config.evaluation)
    return ModelRow(
        metrics=measured,
        is_candidate=model.id == choice["chosen"],
        weights=tuple(
            (names[model_id], weight) for model_id, weight in weights.items() if weight > 0
        ),
        curve=curve,
        lineage=store.read_json(model, LINEAGE_FILE),
    )
