"""S3 backend: artifacts in a bucket of an S3-compatible object store.

The endpoint and credentials come from the usual AWS environment variables (AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from an AWS profile.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.storage.backend import FileEntry
from fer_models.storage.download_cache import cached_download

# A dead endpoint is reported within the connection limit; later requests get more time.
_FIRST_REQUEST_LIMIT_S = 15.0
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3
# Ten parts are in flight at once: this bounds memory, and what is resent after a lost connection.
_PART_BYTES = 16 << 20
_CLIENT_MODULES = ("aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs")


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
        self._bucket = self._root.partition("/")[0]
        self._cache_dir = cache_dir
        self._connected: Any = None

    def has(self, key: str) -> bool:
        """See `Backend`."""
        with self._store_errors():
            # Not isfile(): that returns False when the store can't be reached, too.
            try:
                return bool(self._fs.info(self._path(key))["type"] == "file")
            except FileNotFoundError:
                return False

    def read(self, key: str) -> bytes:
        """See `Backend`."""
        with self._store_errors(key):
            data: bytes = self._fs.cat_file(self._path(key))
            return data

    def write(self, key: str, data: bytes) -> None:
        """See `Backend`."""
        with self._store_errors():
            self._fs.pipe_file(self._path(key), data, chunksize=_PART_BYTES)

    def upload(self, key: str, path: Path) -> None:
        """See `Backend`. Large files are sent in parts; the object appears with the last one."""
        with self._store_errors():
            self._fs.put_file(str(path), self._path(key), chunksize=_PART_BYTES)

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend`. Whether one racing creator wins is up to the server: `docs/storage.md`."""
        with self._store_errors():
            try:
                self._fs.pipe_file(self._path(key), data, mode="create")
            except FileExistsError:
                return False
            except OSError:
                if self.has(key):  # Swift's "412 Precondition Failed" is raised as EINVAL
                    return False
                raise
            return True

    def keys(self, prefix: str) -> list[str]:
        """See `Backend`."""
        return sorted(self.modified(prefix))

    def modified(self, prefix: str) -> dict[str, float]:
        """See `Backend`."""
        with self._store_errors():
            found: dict[str, Any] = self._fs.find(
                self._path(prefix) if prefix else self._root, detail=True
            )
        return {
            path[len(self._root) + 1 :]: entry["LastModified"].timestamp()
            for path, entry in found.items()
        }

    def remove(self, key: str) -> None:
        """See `Backend`."""
        with self._store_errors(key):
            self._fs.rm_file(self._path(key))

    def remove_folder(self, key: str) -> None:
        """See `Backend`."""
        with self._store_errors(), suppress(FileNotFoundError):
            self._fs.rm(self._path(key), recursive=True)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """See `Backend`."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return self._path(key), PyFileSystem(FSSpecHandler(self._fs))

    def local_path(self, entry: FileEntry) -> Path:
        """See `Backend`: a copy in the cache; a damaged copy is downloaded again."""

        def download(part: Path) -> None:
            with self._store_errors(entry.key):
                self._fs.get_file(self._path(entry.key), str(part))

        return cached_download(self._cache_dir or default_cache_dir(), self.url, entry, download)

    # -- private -----------------------------------------------------------------------------

    @property
    def _fs(self) -> Any:
        if self._connected is None:
            import fsspec

            filesystem = fsspec.filesystem(
                "s3",
                use_listings_cache=False,
                config_kwargs={
                    "connect_timeout": _CONNECT_TIMEOUT_S,
                    "read_timeout": _READ_TIMEOUT_S,
                    "retries": {"max_attempts": _ATTEMPTS, "mode": "standard"},
                    "s3": {"addressing_style": "path"},
                },
            )
            # botocore retries already; s3fs would multiply the attempts, and the wait, by five.
            filesystem.retries = 1
            self._check_bucket(filesystem)
            filesystem.retries = 2
            self._connected = filesystem
        return self._connected

    def _check_bucket(self, filesystem: Any) -> None:
        """Request the bucket once, so that a problem is reported early and with its real cause."""
        try:
            filesystem.call_s3("head_bucket", Bucket=self._bucket, timeout=_FIRST_REQUEST_LIMIT_S)
        except FileNotFoundError as error:
            raise StoreError(
                f"store {self.url}: bucket {self._bucket!r} does not exist at {_endpoint()}; "
                f"create it (aws s3 mb s3://{self._bucket}) or correct --store"
            ) from error
        except ValueError as error:
            raise StoreError(
                f"store {self.url} can't be used: {error}; expected AWS_ENDPOINT_URL like "
                "http://127.0.0.1:9000"
            ) from error

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    @contextmanager
    def _store_errors(self, read_key: str = "") -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except FileNotFoundError as error:
            where = f"{self.url}/{read_key}" if read_key else f"bucket {self._bucket}"
            raise StoreError(
                f"{where}: not found; check --store and the id, or run the step that creates it"
            ) from error
        except Exception as error:
            if not _is_storage_failure(error):
                raise
            raise StoreError(f"store {self.url} can't be used: {_remedy(error)}") from error


def default_cache_dir() -> Path:
    """The local cache of files of remote stores (`$XDG_CACHE_HOME/ferflow`)."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "ferflow"


def _endpoint() -> str:
    return os.environ.get("AWS_ENDPOINT_URL") or "Amazon S3 (AWS_ENDPOINT_URL is not set)"


def _is_storage_failure(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.split(".")[0] in _CLIENT_MODULES


def _remedy(error: Exception) -> str:
    unreachable = (
        f"no answer from {_endpoint()}; start the object store or correct AWS_ENDPOINT_URL"
    )
    denied = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their rights on the bucket"
    hints = {
        "Credentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "PermissionError": denied,
        "EndpointConnection": unreachable,
        "ConnectTimeout": unreachable,
        "ReadTimeout": unreachable,
        "FSTimeout": unreachable,
        "ConnectionClosed": unreachable,
        "No space left": "free some disk space",
    }
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = next((hint for sign, hint in hints.items() if sign in text), "")
    return f"{text}; {hint or f'see the log of {_endpoint()}'}"
