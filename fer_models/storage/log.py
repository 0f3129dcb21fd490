"""An append-only log in the store: numbered, create-only entries.

Entries (`<folder>/00000001.json`) never change. A reader therefore sees the state before or after
a change, never in between; a lost race is detected; and the full history stays readable.
"""

import time
import uuid
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from fer_models.errors import StoreError
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.store import ArtifactStore

# A remote server that lets several creators win has settled on one of them by then: racing requests
# were sent at the same moment, so on a slow server they take about as long as our own.
_SETTLE_S = 0.5
_SETTLE_FACTOR = 4.0


class LogEntry(BaseModel):
    """Fields of every log entry."""

    model_config = ConfigDict(frozen=True)
    number: int = Field(ge=1)
    time_s: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    nonce: str = Field(default_factory=lambda: uuid.uuid4().hex)
    """Distinguishes entries of different writers with the same number."""


EntryT = TypeVar("EntryT", bound=LogEntry)


class LostRaceError(StoreError):
    """Another writer was faster; none of our changes took effect."""


class EntryLog(Generic[EntryT]):
    """Reads and appends to one log of a store."""

    def __init__(
        self, store: ArtifactStore, folder: str, entry_type: type[EntryT], name: str
    ) -> None:
        """Use the log below `folder`; error messages call its content `<name> entry`."""
        self._store = store
        self._folder = folder
        self._type = entry_type
        self._name = name

    def entries(self) -> list[EntryT]:
        """All entries, oldest first."""
        return [self.read(key) for key in self.entry_keys()]

    def entry_keys(self) -> list[str]:
        """The keys of all entries, oldest first."""
        return [key for key in self._store.list_keys(self._folder) if key.endswith(".json")]

    def read(self, key: str) -> EntryT:
        """Read one entry.

        Raises:
            StoreError: it is missing or damaged.
        """
        try:
            return self._type.model_validate_json(self._store.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"{self._store.url}/{key}: expected a {self._name} entry: {error}; "
                "restore the object"
            ) from error

    def append(self, make: Callable[[int], EntryT], last_key: str | None, remedy: str) -> EntryT:
        """Append the entry that `make` returns for the number after that of `last_key`.

        Args:
            make: builds the entry with the given number.
            last_key: the last entry that the caller has seen, None for an empty log. If the log
                has a newer one, the append is a lost race.
            remedy: what to do after a lost race.

        Raises:
            LostRaceError: another writer took the number.
        """
        # The last entry's number, not the count of entries: a removed entry must not make its
        # number, or a later one, available again.
        entry = make(self.read(last_key).number + 1 if last_key else 1)
        key = f"{self._folder}/{entry.number:08d}.json"
        data = json_bytes(entry.model_dump(mode="json"), allow_nan=True)
        # Only what is read back counts: a request that was sent twice finds its own entry there,
        # and not every S3 server lets exactly one of racing creators win.
        start_s = time.monotonic()
        created = self._store.create_bytes(key, data)
        if created and not self._store.is_local:
            took_s = time.monotonic() - start_s
            time.sleep(max(_SETTLE_S, _SETTLE_FACTOR * took_s))
        if self._store.read_bytes(key) != data:
            raise LostRaceError(
                f"{self._name} entry {entry.number} of {self._store.url} was written by another "
                f"run at the same moment; {remedy}"
            )
        return entry
