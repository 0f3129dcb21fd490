"""The artifact store: immutable artifacts in a folder or an S3-compatible bucket.

An artifact is a prefix `<folder>/<id>/` with its files and, written last, `artifact.json`, which
names every file with size and sha256. Who reads goes through `artifact.json`, so half an artifact
is never seen; what is read is checked against its sha256.
"""

import hashlib
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from fer_models.errors import StoreError
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ArtifactRef

ARTIFACT_FILE = "artifact.json"
_READ_BLOCK_BYTES = 1 << 20
RefT = TypeVar("RefT", bound=ArtifactRef)


class FileEntry(BaseModel):
    """One file of an artifact; `key` is its path in the store (it may lie in another artifact)."""

    model_config = ConfigDict(frozen=True)
    key: str
    size: int
    sha256: str


class Artifact(BaseModel):
    """What `artifact.json` holds: the files by name, and small facts about the whole."""

    model_config = ConfigDict(frozen=True)
    id: str
    files: dict[str, FileEntry]
    info: dict[str, Any]


def sha256_of_file(path: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class ArtifactStore:
    """Reads and writes artifacts below one fsspec URL (`file://` or a plain folder, `s3://`).

    Files of a remote store are kept in `cache_dir` under their sha256 once they were read.
    """

    def __init__(self, config: StoreConfig, cache_dir: Path | None = None) -> None:
        """Open the store; nothing is made or contacted yet.

        Raises:
            StoreError: the URL's protocol is not supported.
        """
        protocol, separator, _ = config.url.partition("://")
        if not separator:
            protocol = "file"
        if protocol not in ("file", "s3"):
            raise StoreError(
                f"store {config.url!r}: expected a folder, file://... or s3://bucket/prefix; "
                "change store.url (--store)"
            )
        self._is_local = protocol == "file"
        if self._is_local:
            folder = config.url.removeprefix("file://")
            self._root = Path(folder).expanduser().absolute().as_posix().rstrip("/")
            self.url = f"file://{self._root}"
        else:
            self._root = config.url.removeprefix("s3://").strip("/")
            self.url = f"s3://{self._root}"
            if not self._root:
                raise StoreError(
                    f"store {config.url!r}: expected s3://bucket/prefix, no bucket came"
                )
        self._cache_dir = cache_dir
        self._filesystem: Any = None

    @property
    def is_local(self) -> bool:
        """Whether the artifacts lie in a folder of this machine."""
        return self._is_local

    @property
    def local_root(self) -> Path:
        """The folder of a local store."""
        assert self._is_local
        return Path(self._root)

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
        ref = ref_type(id=artifact_id, url=self._url_of(ref_type, artifact_id), **ref_fields)
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
        entry = artifact.files[name]
        path = Path(f"{self._root}/{entry.key}") if self._is_local else self._download(entry)
        if not path.exists():
            raise StoreError(
                f"{self.url}/{entry.key}: the file is gone; make the artifact again (--no-cache)"
            )
        if path.stat().st_size != entry.size or sha256_of_file(path) != entry.sha256:
            if not self._is_local:
                path.unlink()
            raise StoreError(
                f"{self.url}/{entry.key}: damaged: expected {entry.size} bytes with sha256 "
                f"{entry.sha256[:12]}; delete the artifact and make it again (--no-cache)"
            )
        return path

    def read_file(self, ref: ArtifactRef, name: str) -> bytes:
        """The checked bytes of one of the artifact's files."""
        return self.fetch(ref, name).read_bytes()

    def read_json(self, ref: ArtifactRef, name: str) -> Any:
        """One of the artifact's files, parsed as JSON."""
        return json.loads(self.read_file(ref, name))

    def list_ids(self, ref_type: type[ArtifactRef]) -> list[str]:
        """The ids of all complete artifacts of a kind, sorted."""
        suffix = f"/{ARTIFACT_FILE}"
        keys = self.list_keys(ref_type.folder)
        depth = len(PurePosixPath(ref_type.folder).parts) + 2
        return sorted(
            PurePosixPath(key).parts[-2]
            for key in keys
            if key.endswith(suffix) and len(PurePosixPath(key).parts) == depth
        )

    # -- keys --------------------------------------------------------------------------------

    def has(self, key: str) -> bool:
        """Whether an object lies at `key`."""
        with self._explained(key):
            return bool(self._fs.isfile(self._path(key)))

    def read_bytes(self, key: str) -> bytes:
        """The object's bytes.

        Raises:
            StoreError: there is none, or the store can't be read.
        """
        with self._explained(key):
            data: bytes = self._fs.cat_file(self._path(key))
            return data

    def write_bytes(self, key: str, data: bytes) -> None:
        """Write an object whole: a reader sees the old bytes or the new ones."""
        with self._explained(key):
            if self._is_local:
                self._replace_local(key, data)
            else:
                self._fs.pipe_file(self._path(key), data)

    def create_bytes(self, key: str, data: bytes) -> bool:
        """Write an object only if there is none: True when this call made it.

        On a folder one of racing creators wins. On S3 the store decides; see
        `docs/storage.md` for the ones that do.
        """
        with self._explained(key):
            if self._is_local:
                return self._create_local(key, data)
            try:
                self._fs.pipe_file(self._path(key), data, mode="create")
            except FileExistsError:
                return False
            except OSError:
                if self._fs.isfile(self._path(key)):  # Swift answers 412 as EINVAL
                    return False
                raise
            return True

    def list_keys(self, prefix: str) -> list[str]:
        """The keys of all objects below `prefix`, sorted; none when there is no such prefix."""
        with self._explained(prefix):
            found: list[str] = self._fs.find(self._path(prefix))
        start = len(self._root) + 1
        return sorted(
            path[start:] for path in found if not PurePosixPath(path).name.startswith(".")
        )

    def check_writable(self) -> None:
        """Write, read back and remove a small object.

        Raises:
            StoreError: with what to do about it.
        """
        key = f".probe/{uuid.uuid4().hex}"
        self.write_bytes(key, b"ferflow")
        if self.read_bytes(key) != b"ferflow":
            raise StoreError(f"{self.url}: wrote an object and read other bytes back")
        with self._explained(key):
            self._fs.rm_file(self._path(key))
            if self._is_local:
                shutil.rmtree(f"{self._root}/.probe", ignore_errors=True)

    # -- private -----------------------------------------------------------------------------

    @property
    def _fs(self) -> Any:
        if self._filesystem is None:
            import fsspec

            options: dict[str, Any] = {"use_listings_cache": False}
            if not self._is_local:
                # A wrong endpoint should be told in seconds, not minutes.
                options["config_kwargs"] = {
                    "connect_timeout": 5,
                    "read_timeout": 60,
                    "retries": {"max_attempts": 3, "mode": "standard"},
                    "s3": {"addressing_style": "path"},
                }
            self._filesystem = fsspec.filesystem("file" if self._is_local else "s3", **options)
        return self._filesystem

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _url_of(self, ref_type: type[ArtifactRef], artifact_id: str) -> str:
        return f"{self.url}/{ref_type.folder}/{artifact_id}"

    @staticmethod
    def _prefix(ref: ArtifactRef) -> str:
        return f"{ref.folder}/{ref.id}"

    def _upload(self, key: str, content: Path | bytes) -> FileEntry:
        if isinstance(content, bytes):
            self.write_bytes(key, content)
            return FileEntry(key=key, size=len(content), sha256=hashlib.sha256(content).hexdigest())
        entry = FileEntry(key=key, size=content.stat().st_size, sha256=sha256_of_file(content))
        with self._explained(key):
            if self._is_local:
                self._replace_local(key, content)
            else:
                self._fs.put_file(str(content), self._path(key))
        return entry

    def _replace_local(self, key: str, content: Path | bytes) -> None:
        temporary = self._write_temporary(key, content)
        temporary.replace(f"{self._root}/{key}")

    def _create_local(self, key: str, data: bytes) -> bool:
        temporary = self._write_temporary(key, data)
        try:
            os.link(temporary, f"{self._root}/{key}")
        except FileExistsError:
            return False
        finally:
            temporary.unlink()
        return True

    def _write_temporary(self, key: str, content: Path | bytes) -> Path:
        target = Path(f"{self._root}/{key}")
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        try:
            if isinstance(content, bytes):
                temporary.write_bytes(content)
            else:
                shutil.copyfile(content, temporary)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary

    def _download(self, entry: FileEntry) -> Path:
        folder = self._cache_dir or default_cache_dir()
        target = folder / entry.sha256[:2] / entry.sha256
        if target.exists():
            return target
        with self._explained(entry.key):
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                part = Path(scratch) / "part"
                self._fs.get_file(self._path(entry.key), str(part))
                part.replace(target)
        return target

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.url}/{key}: not found; check --store and the id, or run the step that makes it"
            ) from error
        except Exception as error:
            if not _is_storage_failure(error):
                raise
            raise StoreError(f"store {self.url} can't be used: {_remedy(error)}") from error


def default_cache_dir() -> Path:
    """Where files of remote stores are kept on this machine (`$XDG_CACHE_HOME/ferflow`)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ferflow"


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False).encode()


def _is_storage_failure(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in (
        "botocore",
        "aiobotocore",
        "aiohttp",
        "s3fs",
    )


def _remedy(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}"
    hints = {
        "NoCredentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "PermissionError": "give this user write access, or choose another --store",
        "EndpointConnection": "start the object store or correct AWS_ENDPOINT_URL",
        "ConnectTimeout": "start the object store or correct AWS_ENDPOINT_URL",
        "NotADirectory": "a file lies where a folder is needed; choose another --store",
        "FileExistsError": "a file lies where a folder is needed; choose another --store",
        "No space left": "free some disk space",
    }
    for sign, hint in hints.items():
        if sign in text:
            return f"{text}; {hint}"
    return f"{text}; check the address, the keys and the free space"
