"""Tasks of the promotion gate and the retraining decision."""

import time
from collections.abc import Mapping
from typing import Any

from fer_models.promotion.config import PromotionConfig, RetrainingConfig
from fer_models.promotion.promote import (
    RetrainingDecision,
    decision_basis,
    promote_candidate,
    retraining_decision,
)
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ModelRef, PromotionRef, SnapshotRef
from fer_models.storage.store import ArtifactStore
from tasks.artifacts.links import markdown_link
from tasks.artifacts.publish import publish_markdown
from tasks.completion import Parameters
from tasks.stage import stage


def _champion_compared_with(parameters: Mapping[str, Any]) -> str:
    return decision_basis(ArtifactStore(parameters["store"]), parameters["candidate"].id)


def _publish(promotion: PromotionRef, parameters: Parameters) -> None:
    verdict = "promoted" if promotion.promoted else "not promoted"
    name = parameters["candidate"].name
    decision = markdown_link("decision", f"{promotion.url}/decision.json")
    text = f"**{name} {verdict}**: {promotion.reason}\n\n{decision}"
    publish_markdown("promotion", text, verdict)


def _publish_decision(decision: RetrainingDecision, _: Parameters) -> None:
    verdict = "retrain" if decision.retrain else "keep the champion"
    publish_markdown("retraining", f"**{verdict}**: " + "; ".join(decision.reasons), verdict)


@stage("fer_models.promotion.promote", cache_key_extra=_champion_compared_with, publish=_publish)
def promote(
    snapshot: SnapshotRef, candidate: ModelRef, config: PromotionConfig, store: StoreConfig
) -> PromotionRef:
    """Compare the candidate with the champion, and promote it if it passes the gate."""
    return promote_candidate(ArtifactStore(store), snapshot, candidate, config)


@stage("fer_models.promotion.promote", cached=False, publish=_publish_decision)
def decide_retraining(
    snapshot: SnapshotRef, config: RetrainingConfig, store: StoreConfig
) -> RetrainingDecision:
    """Retrain if the champion is missing, too old, or was trained on other data."""
    return retraining_decision(ArtifactStore(store), snapshot, config, time.time())
