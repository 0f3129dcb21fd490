"""Create an automation on the configured Prefect server, or bring it up to date."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prefect.automations import Automation, AutomationCore


def ensure_automation(wanted: "Automation") -> bool:
    """Create the automation unless one of its name does the same; True if something was written.

    One of the same name that does something else is updated: it may refer to a deployment that
    was created anew and so has another id. Whether a person has paused it is left as it is.

    Raises:
        prefect.exceptions.PrefectHTTPStatusError: the server rejects it.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        existing = client.read_automations_by_name(wanted.name)
        if not existing:
            client.create_automation(_complete(wanted))
            return True
        [current, *copies] = existing
        for copy in copies:  # two processes that started at the same moment
            client.delete_automation(copy.id)
        if _what_it_does(current) == _what_it_does(wanted):
            return bool(copies)
        update = wanted.model_copy(update={"enabled": current.enabled})
        client.update_automation(current.id, _complete(update))
        return True


def _complete(automation: "Automation") -> "AutomationCore":
    """With every field set: the client leaves out those that were not."""
    from prefect.automations import AutomationCore

    return AutomationCore(**automation.model_dump(exclude={"id", "owner_resource"}))


def _what_it_does(automation: "AutomationCore") -> Any:
    fields = {"description", "trigger", "actions"}
    return _without_ids(automation.model_dump(mode="json", include=fields))


def _without_ids(value: Any) -> Any:
    """Without the ids that the server gives to triggers."""
    if isinstance(value, dict):
        return {key: _without_ids(item) for key, item in value.items() if key != "id"}
    if isinstance(value, list):
        items = [_without_ids(item) for item in value]
        # Sets of event names come in any order.
        return sorted(items) if all(isinstance(item, str) for item in items) else items
    return value
