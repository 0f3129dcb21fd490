"""The artifact store: immutable artifacts in a folder or an S3-compatible bucket.

An artifact is a prefix `<folder>/<id>/` with its files and, written last, `artifact.json`, which
names every file with size and sha256. Who reads goes through `artifact.json`, so half an artifact
is never seen; what is read is checked against its sha256.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from fer_models.errors import StoreError
from fer_models.storage.backend import Backend, FileEntry, sha256_of_file
from fer_models.storage.config import StoreConfig
from fer_models.storage.folder import FolderBackend
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.s3 import S3Backend, default_cache_dir

__all__ = [
    "ARTIFACT_FILE",
    "Artifact",
    "ArtifactStore",
    "FileEntry",
    "default_cache_dir",
    "sha256_of_file",
]

ARTIFACT_FILE = "artifact.json"
RefT = TypeVar("RefT", bound=ArtifactRef)


class Artifact(BaseModel):
    """What `artifact.json` holds: the files by name, and small facts about the whole."""

    model_config = ConfigDict(frozen=True)
    id: str
    files: dict[str, FileEntry]
    info: dict[str, Any]


class ArtifactStore:
    """Reads and writes artifacts below one URL (a plain folder, `file://` or `s3://`).

    Files of a remote store are kept in `cache_dir` under their sha256 once they were read.
    """

    def __init__(self, config: StoreConfig, cache_dir: Path | None = None) -> None:
        """Open the store; nothing is made or contacted yet.

        Raises:
            StoreError: the URL's protocol is not supported.
        """
        protocol, separator, location = config.url.partition("://")
        if not separator:
            protocol, location = "file", config.url
        self._backend: Backend
        if protocol == "file":
            self._backend = FolderBackend(location)
        elif protocol == "s3":
            self._backend = S3Backend(location, cache_dir)
        else:
            raise StoreError(
                f"store {config.url!r}: expected a folder, file://... or s3://bucket/prefix; "
                "change store.url (--store)"
            )
        self.url = self._backend.url

    @property
    def is_local(self) -> bool:
        """Whether the artifacts lie in a folder of this machine."""
        return isinstance(self._backend, FolderBackend)

    @property
    def local_root(self) -> Path:
        """The folder of a local store."""
        assert isinstance(self._backend, FolderBackend)
        return self._backend.root

    @property
    def config(self) -> StoreConfig:
        """The config that opens this same store from any working directory."""
        return StoreConfig(url=self.url)

    # -- artifacts ---------------------------------------------------------------------------

    def put(
        self,
        ref_type: type[RefT],
        artifact_id: str,
        files: Mapping[str, Path | bytes],
        info: Mapping[str, Any],
        linked: Mapping[str, FileEntry] | None = None,
        **ref_fields: Any,
    ) -> RefT:
        """Write an artifact: its files first, `artifact.json` last. An existing one is kept.

        Args:
            ref_type: which kind of artifact; decides the folder.
            artifact_id: unique name; content-addressed where two runs should share it.
            files: contents by file name (bytes, or the path of a local file to copy).
            info: small JSON facts, readable with `info()` without any file.
            linked: files that already lie in the store, taken over without a copy.
            ref_fields: the further fields of `ref_type`.

        Raises:
            StoreError: the store can't be written.
        """
        url = f"{self.url}/{ref_type.folder}/{artifact_id}"
        ref = ref_type(id=artifact_id, url=url, **ref_fields)
        prefix = self._prefix(ref)
        if self.exists(ref):
            return ref
        entries = dict(linked or {})
        for name, content in files.items():
            entries[name] = self._upload(f"{prefix}/{name}", content)
        artifact = Artifact(id=artifact_id, files=dict(sorted(entries.items())), info=dict(info))
        self.write_bytes(f"{prefix}/{ARTIFACT_FILE}", _json_bytes(artifact.model_dump()))
        return ref

    def exists(self, ref: ArtifactRef) -> bool:
        """Whether the artifact is complete in this store."""
        return self.has(f"{self._prefix(ref)}/{ARTIFACT_FILE}")

    def describe(self, ref: ArtifactRef) -> Artifact:
        """The artifact's files and facts.

        Raises:
            StoreError: there is no such artifact, or its description can't be read.
        """
        key = f"{self._prefix(ref)}/{ARTIFACT_FILE}"
        try:
            return Artifact.model_validate_json(self.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"{self.url}/{key}: expected an artifact description: {error}"
            ) from error

    def info(self, ref: ArtifactRef) -> dict[str, Any]:
        """The artifact's small facts."""
        return self.describe(ref).info

    def fetch(self, ref: ArtifactRef, name: str) -> Path:
        """A local path of the artifact's file, its sha256 checked.

        Raises:
            StoreError: the artifact or file is absent, or its bytes are not what was written.
        """
        artifact = self.describe(ref)
        if name not in artifact.files:
            have = ", ".join(artifact.files) or "no file"
            raise StoreError(f"{ref.url}: expected a file {name!r}, the artifact holds {have}")
        return self._backend.local_path(artifact.files[name])

    def read_file(self, ref: ArtifactRef, name: str) -> bytes:
        """The checked bytes of one of the artifact's files."""
        return self.fetch(ref, name).read_bytes()

    def read_json(self, ref: ArtifactRef, name: str) -> Any:
        """One of the artifact's files, parsed as JSON."""
        return json.loads(self.read_file(ref, name))

    def list_ids(self, ref_type: type[ArtifactRef]) -> list[str]:
        """The ids of all complete artifacts of a kind, sorted."""
        depth = len(PurePosixPath(ref_type.folder).parts) + 2
        paths = [PurePosixPath(key) for key in self.list_keys(ref_type.folder)]
        return sorted(
            path.parts[-2]
            for path in paths
            if path.name == ARTIFACT_FILE and len(path.parts) == depth
        )

    # -- keys --------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether an object lies at `key`.

        Raises:
            StoreError: the store can't be asked.
        """
        return self._backend.has(key)

    def read_bytes(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            StoreError: there is none, or the store can't be read.
        """
        return self._backend.read(key)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write an object whole: a reader sees the old bytes or the new ones.

        Raises:
            StoreError: the store can't be written.
        """
        self._backend.write(key, data)

    def create_bytes(self, key: str, data: bytes) -> bool:
        """Write an object only if there is none: True when this call made it.

        On a folder one of racing creators wins. On S3 the store decides; see
        `docs/storage.md` for the ones that do.
        """
        return self._backend.create(key, data)

    def list_keys(self, prefix: str) -> list[str]:
        """The keys of all objects below `prefix`, sorted; none when there is no such prefix."""
        return self._backend.keys(prefix)

    def remove_folder(self, key: str) -> None:
        """Remove what others than artifacts keep below `key`; there may be nothing.

        Raises:
            StoreError: the store can't be written.
        """
        self._backend.remove_folder(key)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """The path of `key` and the pyarrow file system it is on.

        For libraries that write by one, from several machines; they need the same environment.
        """
        return self._backend.arrow_folder(key)

    def check_writable(self) -> None:
        """Write, read back and remove a small object.

        Raises:
            StoreError: with what to do about it.
        """
        key = f".probe/{uuid.uuid4().hex}"
        self._backend.write(key, b"ferflow")
        if self._backend.read(key) != b"ferflow":
            raise StoreError(f"{self.url}: wrote an object and read other bytes back")
        self._backend.remove(key)

    # -- private -----------------------------------------------------------------------------

    @staticmethod
    def _prefix(ref: ArtifactRef) -> str:
        return f"{ref.folder}/{ref.id}"

    def _upload(self, key: str, content: Path | bytes) -> FileEntry:
        if isinstance(content, bytes):
            self._backend.write(key, content)
            return FileEntry(key=key, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        entry = FileEntry(key=key, size=content.stat().st_size, sha256=sha256_of_file(content))
        self._backend.upload(key, content)
        return entry


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()
