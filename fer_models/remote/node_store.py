"""The artifact store as the nodes of a cluster see it.

A bucket is opened by each node. A folder of the driver's machine may not be visible there, so its
files are served by an actor beside the driver. Either way a node keeps one copy of a file in its
cache, which all processes on the node map into memory.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.errors import StoreError
from fer_models.ray_cluster import per_connection
from fer_models.remote.channel import start_here
from fer_models.storage.backend import Buffers, FileEntry, StoredObject
from fer_models.storage.config import StoreConfig
from fer_models.storage.download_cache import cached_download
from fer_models.storage.folder import FolderBackend
from fer_models.storage.store import ArtifactStore, default_cache_dir

_PART_BYTES = 32 << 20


@dataclass(frozen=True)
class NodeStore:
    """How a node opens the driver's store: its URL, and the actor that serves a folder."""

    url: str
    server: Any = None


def node_store(store: ArtifactStore) -> NodeStore:
    """The store for a node; starts the server of a folder once per connection to Ray."""
    if not store.is_local:
        return NodeStore(store.url)
    folder = str(store.local_root)
    server = per_connection(f"store {folder}", lambda: start_here(FolderServer, folder))
    return NodeStore(store.url, server)


def open_on_node(place: NodeStore) -> ArtifactStore:
    """Open the driver's store on a node."""
    backend = None if place.server is None else ServedFolder(place.url, place.server)
    return ArtifactStore(StoreConfig(url=place.url), backend=backend)


class FolderServer:
    """Ray actor on the driver's node that serves a folder store; errors are returned."""

    def __init__(self, folder: str) -> None:
        self._backend = FolderBackend(folder)
        self._num_reads: dict[str, int] = {}

    def call(self, method: str, *args: Any) -> Any:
        """Call a method of the folder backend."""
        try:
            return getattr(self._backend, method)(*args)
        except StoreError as error:
            return error

    def read_part(self, key: str, offset: int, size: int) -> Any:
        """Some bytes of a file; counts how often a file is read from its beginning."""
        if offset == 0:
            self._num_reads[key] = self._num_reads.get(key, 0) + 1
        try:
            with (self._backend.root / key).open("rb") as stream:
                stream.seek(offset)
                return stream.read(size)
        except OSError as error:
            return StoreError(f"{self._backend.url}/{key}: can't be read: {error}")

    def num_reads(self) -> dict[str, int]:
        """How often each file was fetched by a node, by key."""
        return self._num_reads


class ServedFolder:
    """The backend of a node for a folder of the driver's machine, see `Backend`."""

    def __init__(self, url: str, server: Any) -> None:
        self.url = url
        self._server = server

    def size(self, key: str) -> int | None:
        """See `Backend`."""
        size: int | None = self._call("size", key)
        return size

    def read(self, key: str) -> bytes:
        """See `Backend`."""
        return bytes(self._call("read", key))

    def sha256(self, key: str) -> str:
        """See `Backend`."""
        return str(self._call("sha256", key))

    def write(self, key: str, data: bytes) -> None:
        """See `Backend`."""
        self._call("write", key, data)

    def upload(self, key: str, content: Path | Buffers) -> None:
        """See `Backend`."""
        self._call("write", key, content.read_bytes())

    def create(self, key: str, data: bytes) -> bool:
        """See `Backend`."""
        return bool(self._call("create", key, data))

    def keys(self, prefix: str) -> list[str]:
        """See `Backend`."""
        return list(self._call("keys", prefix))

    def listing(self, prefix: str) -> dict[str, StoredObject]:
        """See `Backend`."""
        return dict(self._call("listing", prefix))

    def abandoned(self) -> dict[str, StoredObject]:
        """See `Backend`."""
        return dict(self._call("abandoned"))

    def remove_abandoned(self, name: str) -> None:
        """See `Backend`."""
        self._call("remove_abandoned", name)

    def remove(self, key: str) -> None:
        """See `Backend`."""
        self._call("remove", key)

    def remove_folder(self, key: str) -> None:
        """See `Backend`."""
        self._call("remove_folder", key)

    def arrow_folder(self, key: str) -> tuple[str, Any]:
        """Not available: the folder is on another machine."""
        raise StoreError(
            f"{self.url}/{key}: expected a folder that this node can write to; use an s3:// store"
        )

    def local_path(self, entry: FileEntry) -> Path:
        """See `Backend`: a copy in this node's cache."""
        return cached_download(
            default_cache_dir(), self.url, entry, lambda part: self._download(entry, part)
        )

    def _download(self, entry: FileEntry, part: Path) -> None:
        import ray

        with part.open("wb") as stream:
            for offset in range(0, max(entry.size, 1), _PART_BYTES):
                found = ray.get(self._server.read_part.remote(entry.key, offset, _PART_BYTES))
                stream.write(_checked(found))

    def _call(self, method: str, *args: Any) -> Any:
        import ray

        return _checked(ray.get(self._server.call.remote(method, *args)))


def _checked(answer: Any) -> Any:
    if isinstance(answer, StoreError):
        raise answer
    return answer
