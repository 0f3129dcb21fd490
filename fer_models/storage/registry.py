"""The model registry: named aliases over an append-only log of numbered entries.

An alias (`champion`) is what the last entry that names it says. Entries are create-only
(`registry/log/00000001.json`), so a change is old or new and never between, a lost race is
noticed and told, history is free, and rollback is one more entry.
"""

import json
import time
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from fer_models.errors import StoreError
from fer_models.storage.store import ArtifactStore

CHAMPION = "champion"
_LOG = "registry/log"
# A remote server that lets several creators win has settled on one of them by then.
_SETTLE_S = 0.5


class RegistryEntry(BaseModel):
    """One change: from now on `alias` means `model_id`."""

    model_config = ConfigDict(frozen=True)
    number: int = Field(ge=1)
    alias: str
    model_id: str
    previous_id: str | None
    reason: str
    details: dict[str, Any] = {}
    time_s: float
    """Seconds since the epoch."""
    nonce: str
    """Tells one writer's entry from another's with the same number."""


class Registry:
    """Reads and appends to the log of one store."""

    def __init__(self, store: ArtifactStore) -> None:
        """Use the registry of `store`; nothing is read yet."""
        self._store = store

    def history(self, alias: str | None = None) -> list[RegistryEntry]:
        """All entries, oldest first; only those of `alias` when one is named.

        Raises:
            StoreError: the log can't be read, or an entry in it is damaged.
        """
        entries = [self._read(key) for key in self._keys()]
        return [entry for entry in entries if alias is None or entry.alias == alias]

    def current(self, alias: str) -> RegistryEntry | None:
        """The entry that says what `alias` means now; None when nothing was ever set."""
        return self._last(alias, self._keys())

    def set(
        self, alias: str, model_id: str, reason: str, details: dict[str, Any] | None = None
    ) -> RegistryEntry:
        """Append an entry that points `alias` to `model_id`.

        Raises:
            StoreError: another writer took the same number; nothing of ours is in force.
        """
        keys = self._keys()
        previous = self._last(alias, keys)
        entry = RegistryEntry(
            number=self._read(keys[-1]).number + 1 if keys else 1,
            alias=alias,
            model_id=model_id,
            previous_id=previous.model_id if previous else None,
            reason=reason,
            details=details or {},
            time_s=time.time(),
            nonce=uuid.uuid4().hex,
        )
        key = f"{_LOG}/{entry.number:08d}.json"
        data = json.dumps(entry.model_dump(), indent=1, sort_keys=True).encode()
        # What counts is what is read back: a request that was sent twice finds its own entry there,
        # and not every S3 server decides a race of creators.
        created = self._store.create_bytes(key, data)
        if created and not self._store.is_local:
            time.sleep(_SETTLE_S)
        if self._store.read_bytes(key) != data:
            raise StoreError(
                f"registry entry {entry.number} of {self._store.url} was written by another run "
                f"at the same moment; look at it, then promote {model_id} again"
            )
        return entry

    def _keys(self) -> list[str]:
        return [key for key in self._store.list_keys(_LOG) if key.endswith(".json")]

    def _last(self, alias: str, keys: list[str]) -> RegistryEntry | None:
        entries = (self._read(key) for key in reversed(keys))
        return next((entry for entry in entries if entry.alias == alias), None)

    def _read(self, key: str) -> RegistryEntry:
        try:
            return RegistryEntry.model_validate_json(self._store.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"{self._store.url}/{key}: expected a registry entry: {error}; restore the object"
            ) from error
