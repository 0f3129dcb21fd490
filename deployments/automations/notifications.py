"""Automations that send notifications about runs, champions and drift."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from deployments.automations.ensure import ensure_automation
from fer_models.errors import ConfigError
from tasks.events import CHAMPION_PROMOTED, DRIFT_DETECTED

if TYPE_CHECKING:
    from prefect.automations import Automation
    from prefect.events.schemas.automations import EventTrigger

ON_FAILURE = "ferflow: notify of failed runs"
ON_CRASH = "ferflow: notify of crashed runs"
ON_PROMOTION = "ferflow: notify of a new champion"
ON_DRIFT = "ferflow: notify of drift"

CONFIRM_S = 60
"""A run may pass through `Crashed` on its way to another state: when a person cancels it while it
starts, for example. Its process has 30 seconds to end."""

_ENDED = (
    "ferflow: run {{ flow_run.name }} {{ flow_run.state.name }}",
    (
        "{{ flow.name }} / {{ flow_run.name }} ended {{ flow_run.state.name }}: "
        "{{ flow_run.state.message }}\n{{ flow_run|ui_url }}"
    ),
)
# Automation -> subject and body, which Prefect renders with the event.
_MESSAGES: Mapping[str, tuple[str, str]] = {
    ON_FAILURE: _ENDED,
    ON_CRASH: _ENDED,
    ON_PROMOTION: (
        "ferflow: new champion {{ event.payload.champion }}",
        (
            "{{ event.payload.champion }} replaces {{ event.payload.previous or 'nothing' }}: "
            "{{ event.payload.reason }}"
        ),
    ),
    ON_DRIFT: (
        "ferflow: drift of {{ event.payload.images }} recent images",
        (
            "The recent images differ from the data of {{ event.payload.champion }}: "
            "{{ event.payload.measures | join(', ') }}\n{{ event.payload.report }}"
        ),
    ),
}


def ensure_notifications(block: str, confirm_s: int = CONFIRM_S) -> None:
    """Create the automations that notify through a block, or bring them up to date.

    Args:
        block: `type/name` of a notification block document, such as `slack-webhook/team`.
        confirm_s: seconds for which a run must stay crashed before it is notified, at least 10.

    Raises:
        ConfigError: the server has no such block.

    Example:
        SlackWebhook(url="https://hooks.slack.com/...").save("team")
        ensure_notifications("slack-webhook/team")
    """
    block_id = _block_id(block)
    for name in _MESSAGES:
        ensure_automation(_notify(name, block_id, confirm_s))


def _notify(name: str, block_id: UUID, confirm_s: int) -> "Automation":
    from prefect.automations import Automation
    from prefect.events.actions import SendNotification

    subject, body = _MESSAGES[name]
    return Automation(
        name=name,
        description="Created by ferflow up --notify.",
        trigger=_trigger(name, confirm_s),
        actions=[SendNotification(block_document_id=block_id, subject=subject, body=body)],
    )


def _trigger(name: str, confirm_s: int) -> "EventTrigger":
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.schemas.events import ResourceSpecification

    if name in (ON_PROMOTION, ON_DRIFT):
        event = CHAMPION_PROMOTED if name == ON_PROMOTION else DRIFT_DETECTED
        return EventTrigger(expect={event}, posture=Posture.Reactive, threshold=1)
    runs = ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]})
    # Runs that a deployment of ours started; not the flows that these call.
    ours = [
        ResourceSpecification({"prefect.resource.id": ["prefect.tag.ferflow"]}),
        ResourceSpecification({"prefect.resource.role": ["deployment"]}),
    ]
    if name == ON_FAILURE:
        return EventTrigger(
            expect={"prefect.flow-run.Failed"},
            match=runs,
            match_related=ours,
            posture=Posture.Reactive,
            threshold=1,
        )
    return EventTrigger(
        after={"prefect.flow-run.Crashed"},
        expect={"prefect.flow-run.*"},
        match=runs,
        match_related=ours,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=confirm_s),
    )


def _block_id(block: str) -> UUID:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    kind, _, name = block.partition("/")
    if not kind or not name:
        raise ConfigError(
            f"--notify {block!r}: expected TYPE/NAME of a notification block, such as "
            "slack-webhook/team; `prefect block ls` lists the blocks"
        )
    with get_client(sync_client=True) as client:
        try:
            return client.read_block_document_by_name(name, kind).id
        except ObjectNotFound as error:
            raise ConfigError(
                f"--notify {block}: the Prefect server has no such block; `prefect block ls` "
                "lists the blocks, and its UI creates them"
            ) from error
