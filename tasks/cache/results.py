"""Task results live in the artifact store, so a cache hit does not depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import FlowRunContext
from prefect.filesystems import WritableFileSystem

from fer_models.storage.config import StoreConfig
from fer_models.storage.store import ArtifactStore

_FOLDER = "results"


class StoreResults(WritableFileSystem):
    """Prefect result storage over the artifact store: `results/<key>`, written atomically."""

    _block_type_name = "ferflow artifact store"
    store: StoreConfig

    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """The persisted result, as bytes."""
        return ArtifactStore(self.store).read_bytes(f"{_FOLDER}/{path}")

    def write_path(self, path: str, content: bytes, **_: Any) -> None:  # type: ignore[override]
        """Persist a result."""
        ArtifactStore(self.store).write_bytes(f"{_FOLDER}/{path}", content)

    def _resolve_path(self, _path: str) -> None:
        """Prefect asks for a path of this machine; there is none, keys stay as they are."""


@contextmanager
def results_in(store: StoreConfig) -> Iterator[None]:
    """Keep the results of all tasks that run in this block of a flow in `store`."""
    context = FlowRunContext.get()
    if context is None:  # the flow's function was called directly, without Prefect
        yield
        return
    results = context.result_store.model_copy(
        update={"result_storage": StoreResults(store=store), "metadata_storage": None}
    )
    with context.model_copy(update={"result_store": results}):
        yield
