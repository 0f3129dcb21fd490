"""An automation that marks runs as crashed when their heartbeats stop."""

from datetime import timedelta
from typing import TYPE_CHECKING

from deployments.automations.ensure import ensure_automation

if TYPE_CHECKING:
    from prefect.automations import Automation

NAME = "ferflow: mark silent runs as crashed"
DEFAULT_SILENCE_S = 600
"""More than three times Prefect's default of 180 seconds between heartbeats.

The automation watches all runs of the server, also those of processes that ferflow did not start.
"""


def ensure_heartbeat_automation(silence_s: int | None = None) -> None:
    """Create the automation on the configured Prefect server, or bring it up to date.

    Args:
        silence_s: seconds without a heartbeat after which a run counts as dead, at least 10; None
            for the default, or for what the server has if that is longer.
    """
    if silence_s is None:
        silence_s = max(_default_silence_s(), _silence_on_server_s())
    ensure_automation(_automation(silence_s))


def _default_silence_s() -> int:
    """At least three heartbeats of the runs that this process serves."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

    return max(DEFAULT_SILENCE_S, 3 * (PREFECT_FLOWS_HEARTBEAT_FREQUENCY.value() or 0))


def _silence_on_server_s() -> int:
    """That of the automation on the server; 0 without one."""
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import EventTrigger

    with get_client(sync_client=True) as client:
        triggers = [one.trigger for one in client.read_automations_by_name(NAME)]
    known = [one.within for one in triggers if isinstance(one, EventTrigger)]
    return max((int(within.total_seconds()) for within in known), default=0)


def _automation(silence_s: int) -> "Automation":
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        # A heartbeat, or a change of state: final states have names of their own, too.
        expect={"prefect.flow-run.*"},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=silence_s),
    )
    crash = ChangeFlowRunState(
        state=StateType.CRASHED,
        message=f"No heartbeat for {silence_s} s: the process died. Run it again: finished "
        "tasks come from the cache, and training resumes from its last checkpoint.",
    )
    return Automation(
        name=NAME,
        description="Without it, a run whose process was killed stays Running forever.",
        trigger=trigger,
        actions=[crash],
    )
