"""The model registry: named aliases over an append-only log of numbered entries.

An alias (`champion`) is what the last entry that names it says. Entries are create-only
(`registry/log/00000001.json`), so a change is old or new and never between, a lost race is
noticed and told, history is free, and rollback is one more entry.
"""

from typing import Any

from pydantic import Field

from fer_models.storage.log import EntryLog, LogEntry
from fer_models.storage.store import ArtifactStore

CHAMPION = "champion"
_LOG = "registry/log"


class RegistryEntry(LogEntry):
    """One change: from now on `alias` means `model_id`."""

    alias: str
    model_id: str
    previous_id: str | None
    reason: str
    details: dict[str, Any] = Field(default_factory=dict)


class Registry:
    """Reads and appends to the log of one store."""

    def __init__(self, store: ArtifactStore) -> None:
        """Use the registry of `store`; nothing is read yet."""
        self._log = EntryLog(store, _LOG, RegistryEntry, "registry")

    def history(self, alias: str | None = None) -> list[RegistryEntry]:
        """All entries, oldest first; only those of `alias` when one is named.

        Raises:
            StoreError: the log can't be read, or an entry in it is damaged.
        """
        entries = self._log.entries()
        return [entry for entry in entries if alias is None or entry.alias == alias]

    def current(self, alias: str) -> RegistryEntry | None:
        """The entry that says what `alias` means now; None when nothing was ever set."""
        return self._last(alias, self._log.entry_keys())

    def set(
        self, alias: str, model_id: str, reason: str, details: dict[str, Any] | None = None
    ) -> RegistryEntry:
        """Append an entry that points `alias` to `model_id`.

        Raises:
            StoreError: another writer took the same number; nothing of ours is in force.
        """
        keys = self._log.entry_keys()
        previous = self._last(alias, keys)

        def entry(number: int) -> RegistryEntry:
            return RegistryEntry(
                number=number,
                alias=alias,
                model_id=model_id,
                previous_id=previous.model_id if previous else None,
                reason=reason,
                details=details or {},
            )

        return self._log.append(
            entry, keys[-1] if keys else None, f"look at it, then promote {model_id} again"
        )

    def _last(self, alias: str, keys: list[str]) -> RegistryEntry | None:
        entries = (self._log.read(key) for key in reversed(keys))
        return next((entry for entry in entries if entry.alias == alias), None)
