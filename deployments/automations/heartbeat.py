"""An automation that marks served runs as crashed when their heartbeats stop."""

from datetime import timedelta

from deployments.automations.ensure import ensure_automation
from deployments.environment import HEARTBEAT_S

NAME = "ferflow: mark silent runs as crashed"
SILENCE_S = 3 * HEARTBEAT_S
"""For runs that send heartbeats every `HEARTBEAT_S` seconds, as those of `ferflow up` do."""
DEFAULT_SILENCE_S = 600
"""For runs of workers, which send one every 180 seconds unless they are configured."""


def ensure_heartbeat_automation(silence_s: int = SILENCE_S) -> None:
    """Create the automation on the configured Prefect server, or bring it up to date.

    Args:
        silence_s: seconds without a heartbeat after which a run counts as dead, at least 10.
    """
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
    ensure_automation(
        Automation(
            name=NAME,
            description="Without it, a run whose process was killed stays Running forever.",
            trigger=trigger,
            actions=[crash],
        )
    )
