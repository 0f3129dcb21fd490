"""The interface between the artifact store and the storage below it (a folder or a bucket).

Keys are paths relative to the store's root, separated by `/`. Every method raises `StoreError`
with a remedy when the storage can't be used.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from pydantic import BaseModel, ConfigDict, field_validator

from fer_models.unnamed_file import UnnamedFile

REPAIR = "run `ferflow store check --deep --repair`, then run again what made it"
"""What to do about a damaged or incomplete artifact."""


class FileEntry(BaseModel):
    """One file of an artifact; `key` is its path in the store (possibly in another artifact)."""

    model_config = ConfigDict(frozen=True)
    key: str
    size: int
    sha256: str

    @field_validator("key")
    @classmethod
    def _stays_inside(cls, key: str) -> str:
        """Whatever an `artifact.json` says, nothing outside the store is read."""
        path = PurePosixPath(key)
        if path.is_absolute() or ".." in path.parts or "\\" in key:
            raise ValueError(f"expected a path in the store, got {key!r}")
        return key


@dataclass(frozen=True)
class Buffers:
    """The content of a file in memory, part by part: large arrays are stored without a copy."""

    parts: tuple[bytes | memoryview, ...]
    """Of bytes."""
    file: UnnamedFile | None = None
    """One with this content, which a folder may take over instead of writing it again."""
    known_sha256: str = ""
    """Hex sha256 of the content, if it was computed while the content was made."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        return sum(map(len, self.parts))

    @cached_property
    def sha256(self) -> str:
        """Hex sha256 of the content."""
        if self.known_sha256:
            return self.known_sha256
        digest = hashlib.sha256()
        for part in self.parts:
            digest.update(part)
        return digest.hexdigest()

    def read_bytes(self) -> bytes:
        """A copy of the content, as a path has it."""
        return b"".join(self.parts)

    def write_to(self, stream: IO[bytes]) -> None:
        """Write the content."""
        for part in self.parts:
            stream.write(part)


Content = Path | bytes | Buffers


@dataclass(frozen=True)
class StoredObject:
    """Size in bytes of a stored object, and when it was written.

    The time is that of the storage's clock, in seconds since 1970.
    """

    size: int
    modified_s: float


class Backend(Protocol):
    """A folder or a bucket."""

    url: str
    """The root, without a trailing slash; valid from any working directory."""

    def size(self, key: str) -> int | None:
        """Bytes of the object at `key`; None if there is none."""

    def read(self, key: str) -> bytes:
        """The object's bytes; StoreError if it does not exist."""

    def sha256(self, key: str) -> str:
        """Hex sha256 of the object's stored bytes, without a cache; StoreError if there is none."""

    def write(self, key: str, data: bytes) -> None:
        """Write an object atomically: a reader sees the old bytes or the new ones."""

    def upload(self, key: str, content: Path | Buffers) -> None:
        """Write an object atomically from a local file, or from memory."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only if none exists: True if this call created it."""

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below `prefix`, sorted."""

    def listing(self, prefix: str) -> dict[str, StoredObject]:
        """Size and time of each object below `prefix`, by key."""

    def abandoned(self) -> dict[str, StoredObject]:
        """What killed writers left unfinished, by a name for `remove_abandoned`.

        They are no objects: no key leads to them. Those that are being written now are among them.
        """

    def remove_abandoned(self, name: str) -> None:
        """Remove something that `abandoned` listed, if it is still there."""

    def remove(self, key: str) -> None:
        """Remove an object."""

    def remove_folder(self, key: str) -> None:
        """Remove all objects below `key`, if any."""

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """A pyarrow file system and the path of `key` on it, for libraries that write with it."""

    def local_path(self, entry: FileEntry) -> Path:
        """A local file with the object's bytes; StoreError if they don't match the entry."""


def sha256_of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_file(backend: Backend, key: str, content: Content) -> FileEntry:
    """Write a file of an artifact atomically; its entry."""
    if isinstance(content, bytes):
        backend.write(key, content)
        return FileEntry(key=key, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    if isinstance(content, Buffers):
        entry = FileEntry(key=key, size=content.size, sha256=content.sha256)
    else:
        size = content.stat().st_size
        entry = FileEntry(key=key, size=size, sha256=sha256_of_file(content))
    backend.upload(key, content)
    return entry


def matches(path: Path, entry: FileEntry) -> bool:
    """Whether a file has the size and sha256 of an entry."""
    return path.stat().st_size == entry.size and sha256_of_file(path) == entry.sha256


def damaged_message(url: str, entry: FileEntry) -> str:
    """Error message for an object whose bytes are not those that were written."""
    return (
        f"{url}/{entry.key}: damaged: expected {entry.size} bytes with sha256 "
        f"{entry.sha256[:12]}; {REPAIR}"
    )
