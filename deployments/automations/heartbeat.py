"""An automation that marks served runs as crashed when their heartbeats stop."""

from datetime import timedelta

from deployments.automations.ensure import ensure_automation

NAME = "ferflow: mark silent runs as crashed"
HEARTBEAT_S = 30
_SILENCE = timedelta(seconds=3 * HEARTBEAT_S)


def ensure_heartbeat_automation() -> None:
    """Create the automation on the configured Prefect server, or bring it up to date."""
    from prefect.automations import Automation
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={
            "prefect.flow-run.heartbeat",
            "prefect.flow-run.Completed",
            "prefect.flow-run.Failed",
            "prefect.flow-run.Cancelled",
            "prefect.flow-run.Crashed",
        },
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=_SILENCE,
    )
    crash = ChangeFlowRunState(
        state=StateType.CRASHED,
        message=f"No heartbeat for {_SILENCE.seconds} s: the process died. Run it again: finished "
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
