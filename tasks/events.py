"""Events that other systems and automations can act on.

Prefect keeps them in its event feed. `ferflow.retrain.requested` comes from outside only.
"""

from collections.abc import Mapping
from typing import Any

from fer_models.storage.refs import DriftRef, PromotionRef

RETRAIN_REQUESTED = "ferflow.retrain.requested"
DATA_CHANGED = "ferflow.data.changed"
DRIFT_DETECTED = "ferflow.drift.detected"
CHAMPION_PROMOTED = "ferflow.champion.promoted"

# Resource of a drift that a retraining run found by itself: it must not ask for another one.
RETRAIN_DRIFT = "ferflow.retrain-drift"
CHECKED_DRIFT = "ferflow.drift"


def emit(event: str, resource_id: str, name: str, payload: Mapping[str, Any]) -> None:
    """Send an event to the configured Prefect server.

    Example:
        emit(DATA_CHANGED, "ferflow.data", "fer2013.csv", {"fingerprint": "0123"})
    """
    from prefect.events import emit_event

    resource = {"prefect.resource.id": resource_id, "prefect.resource.name": name}
    emit_event(event, resource=resource, payload=dict(payload))


def emit_drift(drift: DriftRef, fired: list[str], *, during_retrain: bool) -> None:
    """Say that recent images drifted from the champion's data.

    Args:
        drift: a drift that was detected.
        fired: names of the measures over their thresholds.
        during_retrain: a retraining run found it, so nobody has to start one.
    """
    kind = RETRAIN_DRIFT if during_retrain else CHECKED_DRIFT
    payload = {
        "drift": drift.id,
        "champion": drift.champion_id,
        "images": drift.num_images,
        "measures": fired,
        "report": drift.report_url,
    }
    emit(DRIFT_DETECTED, f"{kind}.{drift.id}", drift.champion_id, payload)


def emit_promoted(promotion: PromotionRef) -> None:
    """Say that there is a new champion."""
    payload = {
        "champion": promotion.champion_now,
        "previous": promotion.champion_id,
        "reason": promotion.reason,
        "decision": promotion.url,
    }
    champion = str(promotion.champion_now)
    emit(CHAMPION_PROMOTED, f"ferflow.champion.{champion}", champion, payload)
