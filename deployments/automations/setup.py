"""All automations that `ferflow up` sets up."""

from deployments.automations.heartbeat import ensure_heartbeat_automation
from deployments.automations.notifications import ensure_notifications
from deployments.automations.retraining import ensure_retraining_automations


def ensure_automations(notify: str = "", silence_s: int | None = None) -> None:
    """Create all automations on the configured Prefect server, or bring them up to date.

    Call it after the deployments are registered: automations refer to them by id.

    Args:
        notify: `type/name` of a notification block; "" sends no notifications.
        silence_s: see `ensure_heartbeat_automation`.

    Raises:
        ConfigError: the server lacks the deployment `retrain/retrain` or the block.
    """
    ensure_heartbeat_automation(silence_s)
    ensure_retraining_automations()
    if notify:
        ensure_notifications(notify)
