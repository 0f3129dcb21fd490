"""How long a run may be silent before a Prefect server marks it as crashed."""

import pytest
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import EventTrigger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from prefect.settings.models.flows import FlowsSettings

from deployments.automations.heartbeat import NAME, ensure_heartbeat_automation

pytestmark = pytest.mark.usefixtures("prefect_server")


def _silence_s() -> float:
    with get_client(sync_client=True) as client:
        [automation] = client.read_automations_by_name(NAME)
    assert isinstance(automation.trigger, EventTrigger)
    return automation.trigger.within.total_seconds()


def test_runs_that_beat_as_rarely_as_they_may_are_not_taken_for_dead() -> None:
    """Workers and other programs have Prefect's own frequency, not that of ferflow's processes."""
    default_s = FlowsSettings.model_fields["heartbeat_frequency"].default
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):
        ensure_heartbeat_automation(silence_s=90)  # as earlier versions did
        ensure_heartbeat_automation()
    assert _silence_s() >= 3 * default_s
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 900}):
        ensure_heartbeat_automation()
    assert _silence_s() == 3 * 900


def test_a_longer_silence_that_the_server_has_is_kept() -> None:
    ensure_heartbeat_automation(silence_s=3600)  # ferflow automations --silence 3600
    ensure_heartbeat_automation()
    assert _silence_s() == 3600
    ensure_heartbeat_automation(silence_s=1200)
    assert _silence_s() == 1200
