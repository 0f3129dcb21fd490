"""What the commands about champions return and print in common."""

from typing import Any

from fer_models.storage.registry import RegistryEntry


def entry_facts(entry: RegistryEntry) -> dict[str, Any]:
    """An entry of the history, for `--json`."""
    return entry.model_dump(mode="json")


def changed_facts(entry: RegistryEntry) -> dict[str, Any]:
    """A change that was made now, for `--json`."""
    return {
        "champion": entry.model_id,
        "alias": entry.alias,
        "entry": entry.number,
        "previous": entry.previous_id,
        "reason": entry.reason,
        "by": entry.details["by"],
    }
