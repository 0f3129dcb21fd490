"""The model registry: named aliases over an append-only log of numbered entries.

An alias (`champion`) points to the model of the last entry that names it. Entries are create-only
(`registry/log/00000001.json`), so a reader sees the state before or after a change, a lost race is
detected, the history is kept, and a rollback is one more entry.
"""

from enum import Enum
from typing import Any, Final, Literal

from pydantic import Field

from fer_models.storage.log import EntryLog, LogEntry, LostRaceError
from fer_models.storage.store import ArtifactStore

CHAMPION = "champion"
_LOG = "registry/log"


class _Unchecked(Enum):
    ANY_ENTRY = "any entry"


ANY_ENTRY: Final = _Unchecked.ANY_ENTRY
"""Passed as `expected`: the alias may point anywhere."""


class RegistryEntry(LogEntry):
    """One change: from now on `alias` points to `model_id`."""

    alias: str
    model_id: str
    previous_id: str | None
    reason: str
    details: dict[str, Any] = Field(default_factory=dict)


class Registry:
    """Reads and appends to the registry of one store.

    Example:
        registry = Registry(ArtifactStore(StoreConfig(url="/data/ferflow")))
        registry.set("champion", model.id, reason="best validation accuracy")
        registry.current("champion").model_id
        [entry.model_id for entry in registry.history("champion")]
    """

    def __init__(self, store: ArtifactStore) -> None:
        """Use the registry of `store`; nothing is read yet."""
        self._store = store
        self._log = EntryLog(store, _LOG, RegistryEntry, "registry")

    def history(self, alias: str | None = None) -> list[RegistryEntry]:
        """All entries, oldest first; only those of `alias` if given.

        Raises:
            StoreError: the log can't be read, or an entry in it is damaged.
        """
        entries = self._log.entries()
        return [entry for entry in entries if alias is None or entry.alias == alias]

    def current(self, alias: str) -> RegistryEntry | None:
        """The entry that `alias` points to now; None if it was never set."""
        return self._last(alias, self._log.entry_keys())

    def set(
        self,
        alias: str,
        model_id: str,
        reason: str,
        details: dict[str, Any] | None = None,
        *,
        expected: RegistryEntry | Literal[_Unchecked.ANY_ENTRY] | None = ANY_ENTRY,
    ) -> RegistryEntry:
        """Append an entry that points `alias` to `model_id`.

        Args:
            alias: such as `champion`.
            model_id: id of a stored model.
            reason: kept in the history.
            details: JSON values that are kept with the entry.
            expected: compare and append: the entry of `alias` that the decision was based on
                (None: there was none). By default the alias may point anywhere.

        Raises:
            LostRaceError: the alias points elsewhere than `expected`, or another writer appended
                at the same moment; the registry is unchanged.
            StoreError: the log can't be read or written.
        """
        # One listing for both the check and the number: a later entry makes the append fail.
        keys = self._log.entry_keys()
        previous = self._last(alias, keys)
        remedy = f"check that change, then promote {model_id} again"
        if expected is not ANY_ENTRY and previous != expected:
            raise LostRaceError(
                f"{self._store.url}: another run changed the {alias} from {_model_id(expected)} "
                f"to {_model_id(previous)} before {model_id} could be set; {remedy}"
            )

        def entry(number: int) -> RegistryEntry:
            return RegistryEntry(
                number=number,
                alias=alias,
                model_id=model_id,
                previous_id=previous.model_id if previous else None,
                reason=reason,
                details=details or {},
            )

        return self._log.append(entry, keys[-1] if keys else None, remedy)

    def _last(self, alias: str, keys: list[str]) -> RegistryEntry | None:
        entries = (self._log.read(key) for key in reversed(keys))
        return next((entry for entry in entries if entry.alias == alias), None)


def _model_id(entry: RegistryEntry | None) -> str:
    return entry.model_id if entry else "none"
