"""Tasks of the promotion gate and the retraining decision."""

import time
from collections.abc import Mapping
from typing import Any

from fer_models.classes.class_list import ClassList
from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.promotion.promote import (
    DECISION_FILE,
    decision_basis,
    gate_criteria,
    passes_gate,
    promote_candidate,
)
from fer_models.promotion.retraining import RetrainingDecision, retraining_decision
from fer_models.storage.champions import current_champion
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import DriftRef, ModelRef, PromotionRef, SnapshotRef, ValidationRef
from fer_models.storage.store import ArtifactStore
from fer_models.tracking.config import TrackingConfig
from tasks.artifacts.links import markdown_link
from tasks.artifacts.publish import publish_markdown, publish_table
from tasks.artifacts.tables import criterion_rows, gate_rows
from tasks.completion import Parameters
from tasks.events import emit_promoted
from tasks.listeners import in_task_run
from tasks.stage import stage


def _champion_compared_with(parameters: Mapping[str, Any]) -> str:
    return decision_basis(
        ArtifactStore(parameters["store"]), parameters["snapshot"], parameters["candidate"].id
    )


def _publish(promotion: PromotionRef, parameters: Parameters) -> None:
    verdict = promotion.verdict
    name = parameters["candidate"].name
    decision = markdown_link("decision", f"{promotion.url}/{DECISION_FILE}")
    publish_markdown("promotion", f"**{name}**: {promotion.reason}\n\n{decision}", verdict)
    criteria = gate_criteria(ArtifactStore(parameters["store"]), promotion)
    publish_table("promotion-criteria", gate_rows(criteria), f"**{name} {verdict}**")


def _publish_decision(decision: RetrainingDecision, _: Parameters) -> None:
    verdict = "retrain" if decision.retrain else "keep the champion"
    why = "; ".join(decision.reasons) or "no criterion fired"
    publish_table("retraining", criterion_rows(decision.criteria), f"**{verdict}**: {why}")


@stage("fer_models.promotion.promote", cache_key_extra=_champion_compared_with, publish=_publish)
def promote(
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    store: StoreConfig,
    tracking: TrackingConfig,
    final: ModelRef | None = None,
    validation: ValidationRef | None = None,
) -> PromotionRef:
    """Compare the candidate with the champion; if it passes the gate, promote it, or its final fit.

    The registry changes in one step, after everything that it names is in the store.
    """
    artifacts = ArtifactStore(store)
    before = current_champion(artifacts, ClassList.from_info(artifacts.info(snapshot)))
    promotion = promote_candidate(artifacts, snapshot, candidate, config, final, validation)
    is_new = before is None or before.model_id != promotion.champion_now
    if promotion.promoted and is_new:
        from fer_models.tracking.outcome import link_champion

        if in_task_run():
            emit_promoted(promotion)
        link_champion(tracking, artifacts, final or candidate, promotion.reason)
    return promotion


@stage("fer_models.promotion.promote", cached=False)
def judge(
    snapshot: SnapshotRef,
    candidate: ModelRef,
    config: PromotionConfig,
    store: StoreConfig,
    validation: ValidationRef | None = None,
) -> bool:
    """Whether the candidate passes the gate, before its final fit is trained."""
    return passes_gate(ArtifactStore(store), snapshot, candidate, config, validation)


@stage("fer_models.promotion.retraining", cached=False, publish=_publish_decision)
def decide_retraining(
    snapshot: SnapshotRef,
    config: RetrainingConfig,
    store: StoreConfig,
    drift: DriftRef | None = None,
) -> RetrainingDecision:
    """Retrain if a criterion fires: no usable champion, other data, age, drift, or force."""
    return retraining_decision(ArtifactStore(store), snapshot, config, time.time(), drift)
