"""An append-only log in the store: numbered, create-only entries.

Entries (`<folder>/00000001.json`) are never changed, so a change is old or new and never between,
a lost race is noticed and told, and the whole history stays readable.
"""

import json
import time
import uuid
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from fer_models.errors import StoreError
from fer_models.storage.store import ArtifactStore

# A remote server that lets several creators win has settled on one of them by then.
_SETTLE_S = 0.5


class LogEntry(BaseModel):
    """What every entry of a log says."""

    model_config = ConfigDict(frozen=True)
    number: int = Field(ge=1)
    time_s: float = Field(default_factory=time.time)
    """Seconds since the epoch."""
    nonce: str = Field(default_factory=lambda: uuid.uuid4().hex)
    """Tells one writer's entry from another's with the same number."""


EntryT = TypeVar("EntryT", bound=LogEntry)


class LostRaceError(StoreError):
    """Another writer took the entry's number; nothing of ours is in force."""


class EntryLog(Generic[EntryT]):
    """Reads and appends to one log of a store."""

    def __init__(
        self, store: ArtifactStore, folder: str, entry_type: type[EntryT], name: str
    ) -> None:
        """Use the log below `folder`; messages call what is in it `<name> entry`."""
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
        """One entry.

        Raises:
            StoreError: it is absent or damaged.
        """
        try:
            return self._type.model_validate_json(self._store.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"{self._store.url}/{key}: expected a {self._name} entry: {error}; "
                "restore the object"
            ) from error

    def append(self, make: Callable[[int], EntryT], last_key: str | None, remedy: str) -> EntryT:
        """Append the entry that `make` gives for the next number.

        Args:
            make: the entry with the number it is given.
            last_key: the last entry that the caller has seen; a newer one makes this a lost race.
            remedy: what to do after a lost race.

        Raises:
            LostRaceError: another writer took the number.
        """
        entry = make(self.read(last_key).number + 1 if last_key else 1)
        key = f"{self._folder}/{entry.number:08d}.json"
        data = json.dumps(entry.model_dump(mode="json"), indent=1, sort_keys=True).encode()
        # What counts is what is read back: a request that was sent twice finds its own entry there,
        # and not every S3 server decides a race of creators.
        created = self._store.create_bytes(key, data)
        if created and not self._store.is_local:
            time.sleep(_SETTLE_S)
        if self._store.read_bytes(key) != data:
            raise LostRaceError(
                f"{self._name} entry {entry.number} of {self._store.url} was written by another "
                f"run at the same moment; {remedy}"
            )
        return entry
