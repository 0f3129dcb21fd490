"""The artifact store: immutable artifacts in a folder or an S3-compatible bucket.

An artifact is a prefix `<folder>/<id>/` with its files and, written last, `artifact.json`, which
lists every file with size and sha256. Readers start at `artifact.json`, so they never see a partial
artifact, and verify the sha256 of what they read.
"""

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fer_models.errors import StoreError
from fer_models.storage.artifact import (
    ARTIFACT_FILE,
    Artifact,
    artifact_faults,
    artifact_id_of,
    describes,
)
from fer_models.storage.backend import Backend, Content, FileEntry, sha256_of_file, write_file
from fer_models.storage.config import StoreConfig
from fer_models.storage.download_cache import default_cache_dir
from fer_models.storage.folder import FolderBackend
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.s3.backend import S3Backend
from fer_models.storage.upkeep import usage

__all__ = [
    "ARTIFACT_FILE",
    "Artifact",
    "ArtifactStore",
    "FileEntry",
    "default_cache_dir",
    "sha256_of_file",
]

RefT = TypeVar("RefT", bound=ArtifactRef)


class ArtifactStore:
    """Reads and writes artifacts below one URL (a plain folder, `file://` or `s3://`).

    Files read from a remote store are cached in `cache_dir` by their sha256.

    Example:
        store = ArtifactStore(StoreConfig(url="/data/ferflow"))
        note = store.put(SnapshotRef, "an-id", {"note.txt": b"hello"}, {"num_images": 0})
        store.read_file(note, "note.txt")  # b"hello"
        store.info(note)  # {"num_images": 0}
        store.exists(store.ref(SnapshotRef, "another-id"))  # False
    """

    def __init__(
        self, config: StoreConfig, cache_dir: Path | None = None, backend: Backend | None = None
    ) -> None:
        """Open the store; nothing is created or contacted yet.

        Args:
            config: the URL.
            cache_dir: cache of downloads from a remote store.
            backend: how the URL is reached, if not directly.

        Raises:
            StoreError: the URL's protocol is not supported.
        """
        self._backend = backend or self._open(config, cache_dir)
        self.url = self._backend.url

    @staticmethod
    def _open(config: StoreConfig, cache_dir: Path | None) -> Backend:
        protocol, separator, location = config.url.partition("://")
        if not separator:
            protocol, location = "file", config.url
        if protocol == "file":
            return FolderBackend(location)
        if protocol == "s3":
            return S3Backend(location, cache_dir)
        raise StoreError(
            f"store {config.url!r}: expected a folder, file://... or s3://bucket/prefix; "
            "change store.url (--store)"
        )

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return isinstance(self._backend, FolderBackend)

    @property
    def local_root(self) -> Path:
        """The folder of a local store."""
        assert isinstance(self._backend, FolderBackend)
        return self._backend.root

    @property
    def backend(self) -> Backend:
        """The storage below, for upkeep."""
        return self._backend

    @property
    def config(self) -> StoreConfig:
        """A config that opens the same store from any working directory."""
        return StoreConfig(url=self.url)

    def ref(self, ref_type: type[RefT], artifact_id: str, **fields: Any) -> RefT:
        """The reference to an artifact of this store; it need not exist.

        Args:
            ref_type: the kind of artifact.
            artifact_id: its id.
            fields: the further fields of `ref_type`.
        """
        return ref_type(id=artifact_id, url=self.artifact_url(ref_type, artifact_id), **fields)

    def artifact_url(self, ref_type: type[ArtifactRef], artifact_id: str) -> str:
        """The URL of an artifact of this store, without a trailing slash."""
        return f"{self.url}/{ref_type.folder}/{artifact_id}"

    def put(
        self,
        ref_type: type[RefT],
        artifact_id: str,
        files: Mapping[str, Content],
        info: Mapping[str, Any],
        linked: Mapping[str, FileEntry] | None = None,
        **ref_fields: Any,
    ) -> RefT:
        """Write an artifact: its files first, `artifact.json` last. A whole one is kept.

        Args:
            ref_type: the kind of artifact; determines the folder.
            artifact_id: unique within its kind; a content hash if runs should share it.
            files: content by file name: bytes, buffers, or the path of a local file to copy.
            info: JSON metadata, readable with `info()` without any file.
            linked: files that are already in the store, shared without a copy.
            ref_fields: the further fields of `ref_type`.

        Raises:
            StoreError: the store can't be written.
        """
        ref = self.ref(ref_type, artifact_id, **ref_fields)
        prefix = self._prefix(ref)
        if self.reuse(ref):
            return ref
        entries = dict(linked or {})
        for name, content in files.items():
            entries[name] = write_file(self._backend, f"{prefix}/{name}", content)
        artifact = Artifact(id=artifact_id, files=dict(sorted(entries.items())), info=dict(info))
        self.write_bytes(f"{prefix}/{ARTIFACT_FILE}", json_bytes(artifact.model_dump()))
        return ref

    def exists(self, ref: ArtifactRef) -> bool:
        """Whether the artifact was written completely; `is_whole` checks its files, too."""
        return self.has(f"{self._prefix(ref)}/{ARTIFACT_FILE}")

    def is_whole(self, ref: ArtifactRef) -> bool:
        """Whether the artifact and all its files are in this store, each of the described size.

        Their bytes are not read; `fetch` compares their sha256.

        Raises:
            StoreError: the store can't be reached.
        """
        return not self.faults(ref)

    def reuse(self, ref: ArtifactRef) -> bool:
        """Whether the artifact is whole, and can be taken instead of being made again.

        It is marked as used, so that no collection removes it now; see `usage`.
        """
        return usage.reuse(self._backend, self._prefix(ref))

    def forget(self, ref: ArtifactRef) -> None:
        """Remove the description of a damaged artifact, so that the next run makes it again."""
        self._backend.remove(f"{self._prefix(ref)}/{ARTIFACT_FILE}")

    def faults(self, ref: ArtifactRef, *, deep: bool = False) -> list[str]:
        """What is wrong with a stored artifact; empty if it is whole. `deep` reads its bytes."""
        return artifact_faults(self._backend, self._prefix(ref), deep=deep)

    def describe(self, ref: ArtifactRef) -> Artifact:
        """The artifact's files and metadata.

        Raises:
            StoreError: the artifact does not exist, or its description is damaged.
        """
        key = f"{self._prefix(ref)}/{ARTIFACT_FILE}"
        try:
            return Artifact.model_validate_json(self.read_bytes(key))
        except ValueError as error:
            raise StoreError(
                f"{self.url}/{key}: expected an artifact description: {error}"
            ) from error

    def info(self, ref: ArtifactRef) -> dict[str, Any]:
        """The artifact's metadata."""
        return self.describe(ref).info

    def fetch(self, ref: ArtifactRef, name: str) -> Path:
        """A local path of one of the artifact's files, with verified sha256.

        Raises:
            StoreError: the artifact or file is missing or damaged.
        """
        artifact = self.describe(ref)
        if name not in artifact.files:
            have = ", ".join(artifact.files) or "no file"
            raise StoreError(f"{ref.url}: expected a file {name!r}, the artifact has {have}")
        return self._backend.local_path(artifact.files[name])

    def read_file(self, ref: ArtifactRef, name: str) -> bytes:
        """The verified bytes of one of the artifact's files."""
        return self.fetch(ref, name).read_bytes()

    def read_json(self, ref: ArtifactRef, name: str) -> Any:
        """One of the artifact's files, parsed as JSON."""
        return json.loads(self.read_file(ref, name))

    def list_ids(self, ref_type: type[ArtifactRef]) -> list[str]:
        """The ids of all complete artifacts of a kind, sorted."""
        return sorted(self.written_times(ref_type))

    def written_times(self, ref_type: type[ArtifactRef]) -> dict[str, float]:
        """When each complete artifact of a kind was written, in seconds since 1970, by id."""
        listed = self._backend.listing(ref_type.folder).items()
        return {
            artifact_id_of(key): stored.modified_s
            for key, stored in listed
            if describes(ref_type.folder, key)
        }

    def has(self, key: str) -> bool:
        """Whether an object exists at `key`.

        Raises:
            StoreError: the store can't be reached.
        """
        return self._backend.size(key) is not None

    def read_bytes(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            StoreError: it does not exist, or the store can't be read.
        """
        return self._backend.read(key)

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write an object atomically: a reader sees the old bytes or the new ones.

        Raises:
            StoreError: the store can't be written.
        """
        self._backend.write(key, data)

    def create_bytes(self, key: str, data: bytes) -> bool:
        """Write an object only if none exists: True if this call created it.

        In a folder exactly one of several racing creators wins. On S3 this depends on the server;
        see `docs/storage.md`.
        """
        return self._backend.create(key, data)

    def list_keys(self, prefix: str) -> list[str]:
        """The keys of all objects below `prefix`, sorted; empty if the prefix does not exist."""
        return self._backend.keys(prefix)

    def remove_folder(self, key: str) -> None:
        """Remove all objects below `key`, if any; not for artifacts.

        Raises:
            StoreError: the store can't be written.
        """
        self._backend.remove_folder(key)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """The path of `key` and the pyarrow file system it is on.

        For libraries that write with one, possibly from several machines (which then need the same
        AWS environment).
        """
        return self._backend.arrow_folder(key)

    def check_writable(self) -> None:
        """Write, read back and remove a small object.

        Raises:
            StoreError: with a remedy.
        """
        key = f".probe/{uuid.uuid4().hex}"
        self._backend.write(key, b"ferflow")
        if self._backend.read(key) != b"ferflow":
            raise StoreError(f"{self.url}: wrote an object but read different bytes back")
        self._backend.remove(key)

    @staticmethod
    def _prefix(ref: ArtifactRef) -> str:
        return f"{ref.folder}/{ref.id}"
