"""Task results are kept in the artifact store, so a cache hit works on every machine.

A result counts only while what it refers to is there: an artifact that was deleted or damaged is
made again by the next run.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import FlowRunContext
from prefect.filesystems import WritableFileSystem

from fer_models.errors import StoreError
from fer_models.storage.champions import all_champions, selection_model_id
from fer_models.storage.config import StoreConfig
from fer_models.storage.refs import ARTIFACT_KINDS, ArtifactRef, PromotionRef
from fer_models.storage.store import ArtifactStore
from fer_models.storage.upkeep.results import references_in

_FOLDER = "results"
_KINDS = {kind.folder: kind for kind in ARTIFACT_KINDS}


class StoreResults(WritableFileSystem):
    """Prefect result storage in the artifact store: `results/<key>`, written atomically."""

    _block_type_name = "ferflow artifact store"
    store: StoreConfig

    def read_path(self, path: str, **_: Any) -> bytes:  # type: ignore[override]
        """Read a persisted result; Prefect runs the task if that fails.

        Raises:
            StoreError: there is none, or what it refers to is missing or incomplete.
        """
        store = ArtifactStore(self.store)
        content = store.read_bytes(f"{_FOLDER}/{path}")
        _check_still_true(store, content)
        return content

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


def _check_still_true(store: ArtifactStore, content: bytes) -> None:
    for folder, values in references_in(json.loads(content)):  # raises if it is damaged
        kind = _KINDS[folder]
        ref: ArtifactRef = kind.model_construct(id=values["id"], url=values["url"])
        if not store.reuse(ref):
            raise StoreError(f"{store.url}: {kind.folder}/{ref.id} is missing or incomplete")
        if kind is PromotionRef:
            _check_verdict(store, PromotionRef.model_validate(values))


def _check_verdict(store: ArtifactStore, promotion: PromotionRef) -> None:
    """Reject a verdict that the registry contradicts.

    Its log was lost, or a person has promoted the candidate since.
    """
    entries = all_champions(store).values()
    model_id = promotion.champion_now
    if promotion.promoted and all(entry.model_id != model_id for entry in entries):
        raise StoreError(f"{store.url}: {model_id} is not the champion")
    now = {one for entry in entries for one in (entry.model_id, selection_model_id(entry))}
    if not promotion.promoted and promotion.candidate_id in now:
        raise StoreError(f"{store.url}: {promotion.candidate_id} is the champion")
