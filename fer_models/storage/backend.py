"""What the artifact store asks of the place where the bytes lie.

Keys are paths below the store's root, with `/` between their parts. Every method raises
`StoreError`, with what to do about it, when the place can't be used.
"""

import hashlib
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict


class FileEntry(BaseModel):
    """One file of an artifact; `key` is its path in the store (it may lie in another artifact)."""

    model_config = ConfigDict(frozen=True)
    key: str
    size: int
    sha256: str


class Backend(Protocol):
    """A folder or a bucket."""

    url: str
    """The root, without a slash at its end; opens the same place from any working directory."""

    def has(self, key: str) -> bool:
        """Whether an object lies at `key`."""

    def read(self, key: str) -> bytes:
        """The object's bytes; a StoreError when there is none."""

    def write(self, key: str, data: bytes) -> None:
        """Write an object whole: a reader sees the old bytes or the new ones."""

    def upload(self, key: str, path: Path) -> None:
        """Write an object whole, from a local file."""

    def create(self, key: str, data: bytes) -> bool:
        """Write an object only if there is none: True when this call made it."""

    def keys(self, prefix: str) -> list[str]:
        """The keys of all objects below `prefix`, sorted."""

    def remove(self, key: str) -> None:
        """Remove an object."""

    def remove_folder(self, key: str) -> None:
        """Remove all objects below `key`; there may be none."""

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """A pyarrow file system and the path of `key` on it, for libraries that write by it."""

    def local_path(self, entry: FileEntry) -> Path:
        """A local file with the object's bytes; a StoreError when they are not the entry's."""


def sha256_of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def holds(path: Path, entry: FileEntry) -> bool:
    """Whether a file has the size and sha256 of an entry."""
    return path.stat().st_size == entry.size and sha256_of_file(path) == entry.sha256


def damaged_text(url: str, entry: FileEntry) -> str:
    """What to tell of an object that has other bytes than were written."""
    return (
        f"{url}/{entry.key}: damaged: expected {entry.size} bytes with sha256 "
        f"{entry.sha256[:12]}; delete the artifact and make it again (--no-cache)"
    )
