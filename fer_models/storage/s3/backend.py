"""S3 backend: artifacts in a bucket of an S3-compatible object store."""

import hashlib
import tempfile
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.storage.backend import Buffers, FileEntry, StoredObject
from fer_models.storage.download_cache import cached_download, default_cache_dir
from fer_models.storage.s3.connection import S3Connection

# Ten parts are in flight at once: this bounds memory, and what is resent after a lost connection.
_PART_BYTES = 16 << 20


class S3Backend:
    """Objects of a bucket below a prefix; downloads are cached by their sha256."""

    def __init__(self, location: str, cache_dir: Path | None = None) -> None:
        """Use `bucket/prefix`; the server is not contacted before the first request.

        Args:
            location: `bucket` or `bucket/prefix`.
            cache_dir: cache of downloads; by default `default_cache_dir()`.

        Raises:
            StoreError: `location` names no bucket.
        """
        self._root = location.strip("/")
        self.url = f"s3://{self._root}"
        if not self._root:
            raise StoreError("store 's3://': no bucket given; expected s3://bucket/prefix")
        self._connection = S3Connection(self._root.partition("/")[0], "--store", self.url)
        self._cache_dir = cache_dir

    def size(self, key: str) -> int | None:
        """See `Backend`."""
        with self._errors():
            # Not isfile(): that returns False when the store can't be reached, too.
            try:
                found: dict[str, Any] = self._connection.fs.info(self._path(key))
            except FileNotFoundError:
                return None
        return int(found["size"]) if found["type"] == "file" else None

    def read(self, key: str) -> bytes:
        """See `Backend`."""
        with self._errors(key):
            data: bytes = self._connection.fs.cat_file(self._path(key))
            return data

    def sha256(self, key: str) -> str:
        """See `Backend`."""
        digest = hashlib.sha256()
        with self._errors(key), self._connection.fs.open(self._path(key), "rb") as stream:
            while block := stream.read(_PART_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def write(self, key: str, data: bytes) -> None:
        """See `Backend`."""
        with self._errors():
            self._connection.fs.pipe_file(self._path(key), data, chunksize=_PART_BYTES)

    def upload(self, key: str, content: Path | Buffers) -> None:
        """See `Backend`. Large files are sent in parts; the object appears with the last one."""
        if isinstance(content, Buffers):
            # Not a stream into the bucket: an interrupted one would complete what it has sent.
            with tempfile.NamedTemporaryFile() as file:
                content.write_to(file)
                file.flush()
                self.upload(key, Path(file.name))
            return
        with self._errors():
            self._connection.fs.put_file(str(content), self._path(key), chunksize=_PART_BYTES)

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend`. Whether one racing creator wins is up to the server: `docs/storage.md`."""
        with self._errors():
            try:
                self._connection.fs.pipe_file(self._path(key), data, mode="create")
            except FileExistsError:
                return False
            except OSError:
                # Swift's "412 Precondition Failed" is raised as EINVAL.
                if self.size(key) is not None:
                    return False
                raise
            return True

    def keys(self, prefix: str) -> list[str]:
        """See `Backend`."""
        return sorted(self.listing(prefix))

    def listing(self, prefix: str) -> dict[str, StoredObject]:
        """See `Backend`."""
        with self._errors():
            found: dict[str, Any] = self._connection.fs.find(
                self._path(prefix) if prefix else self._root, detail=True
            )
        return {
            path[len(self._root) + 1 :]: StoredObject(
                int(entry["size"]), entry["LastModified"].timestamp()
            )
            for path, entry in found.items()
        }

    def abandoned(self) -> dict[str, StoredObject]:
        """See `Backend`: uploads in parts that were never completed."""
        bucket, _, prefix = self._root.partition("/")
        # With the slash: another store's prefix may begin with ours, as `fer-2` does with `fer`.
        below = f"{prefix}/" if prefix else ""
        found: dict[str, StoredObject] = {}
        more: dict[str, str] = {}
        with self._errors():
            while True:
                answer = self._connection.fs.call_s3(
                    "list_multipart_uploads", Bucket=bucket, Prefix=below, **more
                )
                for upload in answer.get("Uploads", ()):
                    name = f"{upload['UploadId']} {upload['Key']}"
                    found[name] = StoredObject(0, upload["Initiated"].timestamp())
                if not answer.get("IsTruncated"):
                    return found
                more = {
                    "KeyMarker": answer["NextKeyMarker"],
                    "UploadIdMarker": answer["NextUploadIdMarker"],
                }

    def remove_abandoned(self, name: str) -> None:
        """See `Backend`."""
        upload, _, key = name.partition(" ")
        bucket = self._root.partition("/")[0]
        with self._errors(), suppress(FileNotFoundError):
            self._connection.fs.call_s3(
                "abort_multipart_upload", Bucket=bucket, Key=key, UploadId=upload
            )

    def remove(self, key: str) -> None:
        """See `Backend`."""
        with self._errors(key):
            self._connection.fs.rm_file(self._path(key))

    def remove_folder(self, key: str) -> None:
        """See `Backend`."""
        with self._errors(), suppress(FileNotFoundError):
            self._connection.fs.rm(self._path(key), recursive=True)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """See `Backend`."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return self._path(key), PyFileSystem(FSSpecHandler(self._connection.fs))

    def local_path(self, entry: FileEntry) -> Path:
        """See `Backend`: a copy in the cache; a damaged copy is downloaded again."""

        def download(part: Path) -> None:
            with self._errors(entry.key):
                self._connection.fs.get_file(self._path(entry.key), str(part))

        return cached_download(self._cache_dir or default_cache_dir(), self.url, entry, download)

    # -- private -----------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _errors(self, key: str = "") -> AbstractContextManager[None]:
        return self._connection.errors(f"{self.url}/{key}" if key else "")
