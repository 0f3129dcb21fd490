"""All facts of a report, read from the store once."""

import io
from collections.abc import Iterable, Sequence
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
from fer_models.reporting.attention import HeatPanel, heat_panel
from fer_models.reporting.execution import Execution
from fer_models.reporting.model_card.card import ModelCard, model_card
from fer_models.reporting.model_card.config import ModelCardConfig
from fer_models.reporting.model_card.facts import card_facts
from fer_models.reporting.versus import Versus, compare_with_champion
from fer_models.storage.refs import (
    ENSEMBLE,
    EnsembleRef,
    EvaluationRef,
    ModelRef,
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

    @property
    def model_card(self) -> ModelCardConfig:
        """Texts of the model card."""

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
    """Name and weight of each weighted member; empty for a network, and for stacking."""
    curve: pd.DataFrame | None
    """Training curve by epoch; None for an ensemble."""
    lineage: dict[str, Any]
    train_seconds: float | None
    """Training time; of an ensemble that of its weighted members together; None if unknown."""
    cross_validated: dict[str, dict[str, float]]
    """`value`, `low` and `high` by metric, on validation; empty for older artifacts."""
    multiply_adds: int | None
    """For one image, over all TTA views; None if unknown."""

    @property
    def is_ensemble(self) -> bool:
        """Whether it combines networks."""
        return self.metrics.kind == ENSEMBLE

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
    validation: Predictions
    """Of the candidate, on the validation split."""
    has_test: bool
    heat: HeatPanel
    """Heat maps of the candidate, or of the strongest member of an ensemble."""
    versus: Versus | None
    """The candidate against the champion before it; None without one."""
    card: ModelCard
    """Of the candidate."""
    execution: Execution | None
    """The execution that writes the report, if it is one of a flow."""

    @property
    def candidate(self) -> ModelRow:
        """The row of the candidate."""
        return next(row for row in self.rows if row.is_candidate)


def collect(
    store: ArtifactStore, config: RunConfig, refs: RunRefs, execution: Execution | None = None
) -> RunFacts:
    """Read the facts of a run; `execution` is the one that writes the report.

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
    rows = _rows(store, snapshot, config, choice, metrics)
    network = strongest_network(store, rows)
    split = TEST if has_test else VALIDATION
    return RunFacts(
        config=config,
        refs=refs,
        snapshot=snapshot,
        rows=rows,
        choice=choice,
        decision=store.read_json(refs.promotion, DECISION_FILE),
        checks=store.read_json(refs.validation, "results.json"),
        trials=store.read_json(tuning, "trials.json") if tuning else [],
        tuning_info=store.info(tuning) if tuning else {},
        best_setting=store.read_json(tuning, "best.json") if tuning else {},
        tables=open_tables(store, refs.snapshot),
        predictions=predictions[split],
        validation=predictions[VALIDATION],
        has_test=has_test,
        heat=heat_panel(
            store, snapshot, network, read_predictions(store, snapshot, network)[split]
        ),
        versus=compare_with_champion(
            store, snapshot, refs.ensemble.candidate, split, refs.promotion.champion_id
        ),
        card=_card(store, config, rows),
        execution=execution,
    )


def _card(store: ArtifactStore, config: RunConfig, rows: Sequence[ModelRow]) -> ModelCard:
    measured = next(row.metrics for row in rows if row.is_candidate)
    model = model_ref(store, measured.model_id)
    facts = card_facts(store, model, config.evaluation, measured)
    return model_card(facts, config.model_card)


def strongest_network(store: ArtifactStore, rows: Sequence[ModelRow]) -> ModelRef:
    """The candidate, or the member of it that is best on the validation split."""
    candidate = next(row for row in rows if row.is_candidate)
    best = candidate
    if candidate.is_ensemble:
        networks = [row for row in rows if not row.is_ensemble]
        weighted = {name for name, _ in candidate.weights}
        used = [row for row in networks if row.metrics.model_name in weighted] or networks
        best = max(used, key=lambda row: row.metrics.splits[VALIDATION].accuracy)
    return model_ref(store, best.metrics.model_id)


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


def _rows(
    store: ArtifactStore,
    snapshot: DatasetSnapshot,
    config: RunConfig,
    choice: dict[str, Any],
    metrics: dict[str, ModelMetrics],
) -> tuple[ModelRow, ...]:
    names = {c["model_id"]: c["name"] for c in choice["candidates"]}
    rows = []
    for entry in choice["candidates"]:
        model = model_ref(store, entry["model_id"])
        weights = choice["weights"].get(entry["method"], {})
        measured = metrics.get(model.id) or measure_model(store, snapshot, model, config.evaluation)
        used = {model_id: weight for model_id, weight in weights.items() if weight > 0}
        rows.append(
            ModelRow(
                metrics=measured,
                is_candidate=model.id == choice["chosen"],
                weights=tuple((names[model_id], weight) for model_id, weight in used.items()),
                curve=_curve(store, model),
                lineage=store.read_json(model, LINEAGE_FILE),
                train_seconds=store.info(model).get("train_seconds"),
                cross_validated=entry.get("cross_validated") or {},
                multiply_adds=entry.get("multiply_adds"),
            )
        )
    return tuple(rows)


def _curve(store: ArtifactStore, model: ModelRef) -> pd.DataFrame | None:
    if _CURVE_FILE not in store.describe(model).files:
        return None
    return pd.read_csv(io.BytesIO(store.read_file(model, _CURVE_FILE)))
