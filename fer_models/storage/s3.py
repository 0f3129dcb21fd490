"""Artifacts in a bucket of an S3-compatible object store.

The endpoint and the keys come from the usual AWS environment (AWS_ENDPOINT_URL,
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from an AWS profile.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.storage.backend import FileEntry, damaged_text, holds

# A dead endpoint is told within the contact limit; once contact was made, requests get more time.
_CONTACT_LIMIT_S = 15.0
_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 60
_ATTEMPTS = 3
# Ten parts are in flight at once: this bounds memory, and what a lost connection repeats.
_PART_BYTES = 16 << 20
_CLIENT_MODULES = ("aiobotocore", "aiohttp", "botocore", "fsspec", "s3fs")


class S3Backend:
    """Objects of a bucket below a prefix; what was downloaded is kept under its sha256."""

    def __init__(self, location: str, cache_dir: Path | None = None) -> None:
        """Use `bucket/prefix`; nothing is contacted before the first request.

        Args:
            location: bucket, and a prefix unless the whole bucket is the store.
            cache_dir: where downloads are kept; by default `default_cache_dir()`.

        Raises:
            StoreError: there is no bucket in `location`.
        """
        self._root = location.strip("/")
        self.url = f"s3://{self._root}"
        if not self._root:
            raise StoreError("store 's3://': expected s3://bucket/prefix, no bucket came")
        self._bucket = self._root.partition("/")[0]
        self._cache_dir = cache_dir
        self._connected: Any = None

    def has(self, key: str) -> bool:
        """See `Backend`."""
        with self._explained():
            # Not isfile(): that one says False when the store can't be reached, too.
            try:
                return bool(self._fs.info(self._path(key))["type"] == "file")
            except FileNotFoundError:
                return False

    def read(self, key: str) -> bytes:
        """See `Backend`."""
        with self._explained(key):
            data: bytes = self._fs.cat_file(self._path(key))
            return data

    def write(self, key: str, data: bytes) -> None:
        """See `Backend`."""
        with self._explained():
            self._fs.pipe_file(self._path(key), data, chunksize=_PART_BYTES)

    def upload(self, key: str, path: Path) -> None:
        """See `Backend`. Large files go in parts; the object appears with the last one."""
        with self._explained():
            self._fs.put_file(str(path), self._path(key), chunksize=_PART_BYTES)

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend`. The server decides a race, if it can: `docs/storage.md` says which do."""
        with self._explained():
            try:
                self._fs.pipe_file(self._path(key), data, mode="create")
            except FileExistsError:
                return False
            except OSError:
                if self.has(key):  # Swift's "412 Precondition Failed" comes as EINVAL
                    return False
                raise
            return True

    def keys(self, prefix: str) -> list[str]:
        """See `Backend`."""
        with self._explained():
            found: list[str] = self._fs.find(self._path(prefix) if prefix else self._root)
        return sorted(path[len(self._root) + 1 :] for path in found)

    def remove(self, key: str) -> None:
        """See `Backend`."""
        with self._explained(key):
            self._fs.rm_file(self._path(key))

    def remove_folder(self, key: str) -> None:
        """See `Backend`."""
        with self._explained(), suppress(FileNotFoundError):
            self._fs.rm(self._path(key), recursive=True)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """See `Backend`."""
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        return self._path(key), PyFileSystem(FSSpecHandler(self._fs))

    def local_path(self, entry: FileEntry) -> Path:
        """See `Backend`: a copy in the cache, fetched again when the one there was damaged."""
        target = self._cached(entry)
        if target.is_file() and holds(target, entry):
            return target
        with self._explained(entry.key), tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            part = Path(scratch) / "part"
            self._fs.get_file(self._path(entry.key), str(part))
            if not holds(part, entry):
                raise StoreError(damaged_text(self.url, entry))
            part.replace(target)
        return target

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
            # botocore tries again already; s3fs would multiply that, and the waiting, by five.
            filesystem.retries = 1
            self._make_contact(filesystem)
            filesystem.retries = 2
            self._connected = filesystem
        return self._connected

    def _make_contact(self, filesystem: Any) -> None:
        """Ask for the bucket once, so that what is wrong is told soon and by its right name."""
        try:
            filesystem.call_s3("head_bucket", Bucket=self._bucket, timeout=_CONTACT_LIMIT_S)
        except FileNotFoundError as error:
            raise StoreError(
                f"store {self.url}: there is no bucket {self._bucket!r} at {_endpoint()}; create "
                f"it (aws s3 mb s3://{self._bucket}) or correct --store"
            ) from error
        except ValueError as error:
            raise StoreError(
                f"store {self.url} can't be used: {error}; expected AWS_ENDPOINT_URL like "
                "http://127.0.0.1:9000"
            ) from error

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}"

    def _cached(self, entry: FileEntry) -> Path:
        folder = (self._cache_dir or default_cache_dir()) / entry.sha256[:2]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                f"{folder}: downloads can't be kept there: {error}; set XDG_CACHE_HOME to a "
                "folder that this user may write"
            ) from error
        return folder / entry.sha256

    @contextmanager
    def _explained(self, read_key: str = "") -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except FileNotFoundError as error:
            where = f"{self.url}/{read_key}" if read_key else f"bucket {self._bucket}"
            raise StoreError(
                f"{where}: not found; check --store and the id, or run the step that makes it"
            ) from error
        except Exception as error:
            if not _is_storage_failure(error):
                raise
            raise StoreError(f"store {self.url} can't be used: {_remedy(error)}") from error


def default_cache_dir() -> Path:
    """Where files of remote stores are kept on this machine (`$XDG_CACHE_HOME/ferflow`)."""
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
    refused = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may use the bucket"
    hints = {
        "Credentials": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        "PermissionError": refused,
        "EndpointConnection": unreachable,
        "ConnectTimeout": unreachable,
        "ReadTimeout": unreachable,
        "FSTimeout": unreachable,
        "ConnectionClosed": unreachable,
        "No space left": "free some disk space",
    }
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    hint = next((hint for sign, hint in hints.items() if sign in text), "")
    return f"{text}; {hint or f'look at the log of {_endpoint()}'}"
