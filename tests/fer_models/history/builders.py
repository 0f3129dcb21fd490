"""Whole runs without any training: everything that a flow returns, and its record."""

import json
from dataclasses import dataclass
from typing import Any

from fer_models.ensembling.config import EnsembleConfig
from fer_models.ensembling.ensemble import ensemble_models
from fer_models.evaluation.config import EvaluationConfig
from fer_models.evaluation.evaluate import evaluate_model
from fer_models.history.build import record_of
from fer_models.history.record import RunRecord
from fer_models.history.runs import record_run
from fer_models.promotion.config import PromotionConfig
from fer_models.promotion.promote import promote_candidate
from fer_models.reporting.report import write_report
from fer_models.storage.refs import ExplorationRef, ModelRef, PromotionRef, RunRef, SnapshotRef
from fer_models.storage.registry import CHAMPION, Registry
from fer_models.storage.store import ArtifactStore
from flows.pipeline_config import PipelineConfig
from flows.results import Outcome, PreparedData, TrainedModels
from tests.fer_models.builders import build_model, build_snapshot, build_validation

MEMBERS = ("compact_cnn", "scratch_cnn", "resnet10t")


@dataclass(frozen=True)
class BuiltRun:
    outcome: Outcome
    config: PipelineConfig
    record: RunRecord

    @property
    def models(self) -> tuple[ModelRef, ...]:
        return self.outcome.trained.models


def build_run(
    store: ArtifactStore,
    seed: int = 0,
    skill: float = 1.6,
    snapshot: SnapshotRef | None = None,
    started_s: float = 1_800_000_000.0,
    recorded: bool = True,
    reported: bool = False,
    **settings: Any,
) -> BuiltRun:
    """A run of the demo's members; `settings` are fields of its configuration and of its record.

    Its report is an empty page unless `reported`: rendering takes a second.
    """
    about = {key: settings.pop(key) for key in ("name", "trigger", "overrides") if key in settings}
    config = PipelineConfig(seed=seed, store=store.config, **settings)
    snapshot = snapshot or build_snapshot(store, 350)
    models = tuple(
        build_model(store, snapshot, name, skill + 0.4 * number, 100 * seed + 10 * number)
        for number, name in enumerate(MEMBERS)
    )
    ensemble = ensemble_models(store, snapshot, models, EnsembleConfig())
    evaluations = tuple(
        evaluate_model(store, snapshot, model, EvaluationConfig())
        for model in (*models, *ensemble.ensembles)
    )
    validation = build_validation(store, snapshot)
    promotion = _promote(store, snapshot, ensemble.candidate)
    if reported:
        run = write_report(
            store, config, snapshot, validation, None, evaluations, ensemble, promotion
        )
    else:
        run = _empty_report(store, ensemble.candidate.id)
    exploration = store.put(
        ExplorationRef,
        f"page-{snapshot.id[:8]}",
        {"report.html": b"<p>data</p>"},
        {},
        report_url=f"{store.url}/explorations/page-{snapshot.id[:8]}/report.html",
    )
    trained = TrainedModels(
        prepared=PreparedData(snapshot=snapshot, validation=validation, exploration=exploration),
        tuning=None,
        models=models,
        ensemble=ensemble,
        evaluations=evaluations,
    )
    outcome = Outcome(trained=trained, promotion=promotion, run=RunRef(**run.model_dump()))
    record = record_of(
        store,
        config,
        outcome,
        flow="run-pipeline",
        started_s=started_s,
        ended_s=started_s + 200,
        **{"trigger": "cli", **about},
    )
    if recorded:
        record_run(store, record)
    return BuiltRun(outcome, config, record)


def _empty_report(store: ArtifactStore, candidate_id: str) -> RunRef:
    run_id = f"report-{candidate_id[-12:]}"
    url = f"{store.url}/runs/{run_id}/report.html"
    return store.put(RunRef, run_id, {"report.html": b"<p>report</p>"}, {}, report_url=url)


def _promote(store: ArtifactStore, snapshot: SnapshotRef, candidate: ModelRef) -> PromotionRef:
    """The gate's decision; a refusal where it would need the weights of the champion."""
    champion = Registry(store).current(CHAMPION)
    if champion is None or champion.details["snapshot_id"] == snapshot.id:
        return promote_candidate(store, snapshot, candidate, PromotionConfig())
    facts = {
        "promoted": False,
        "candidate_id": candidate.id,
        "champion_id": champion.model_id,
        "reason": "0.1000 against the champion's 0.9000: more than max_regression 0 below",
    }
    decision = {**facts, "snapshot_id": snapshot.id, "comparison": None}
    files = {"decision.json": json.dumps(decision).encode()}
    return store.put(PromotionRef, f"refused-{candidate.id[-12:]}", files, facts, **facts)
