"""Task results are kept in the artifact store, so a cache hit works on every machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import FlowRunContext
from prefect.filesystems import WritableFileSystem

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

_FOLDER = "results"


class StoreResults(WritableFileSystem):
    """Prefect result storage in the artifact store: `results/<key>`, written atomically."""

    _block_type_name = "ferflow artifact store"
    store: StoreConfig

    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """Read a persisted result."""
        return ArtifactStore(self.store).read_bytes(f"{_FOLDER}/{path}")

    def write_path(self, path: str, content: bytes, **_: Any) -> None:  # type: ignore[override]
        """Write a result."""
        ArtifactStore(self.store).write_bytes(f"{_FOLDER}/{path}", content)

    def _resolve_path(self, _path: str) -> None:
        """Prefect asks for a local path; there is none, so keys are used unchanged."""


@contextmanager
def results_in(store: StoreConfig) -> Iterator[None]:
    """Persist the results of all tasks called in this block of a flow in `store`."""
    context = FlowRunContext.get()
    if context is None:  # `flow.fn(...)` was called directly, without Prefect
        yield
        return
    results = context.result_store.model_copy(
        update={"result_storage": StoreResults(store=store), "metadata_storage": None}
    )
    with context.model_copy(update={"result_store": results}):
        yield
