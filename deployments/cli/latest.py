"""The latest output of each step in a store: the default input of the next step."""

import json
import shutil
from pathlib import Path
from typing import TypeVar

from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.refs import ArtifactRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

RefT = TypeVar("RefT", bound=ArtifactRef)
_FOLDER = "latest"
_REPORTS = ".ferflow/reports"
_MAX_SHOWN = 10


def remember(store: ArtifactStore, step: str, ref: ArtifactRef) -> None:
    """Record `ref` as the latest output of `step`."""
    store.write_bytes(f"{_FOLDER}/{step}.json", json.dumps(ref.model_dump(mode="json")).encode())


def recall(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT:
    """The latest output of `step`.

    Raises:
        StoreError: the step has not run in this store.
    """
    found = recall_if_any(store, step, ref_type)
    if found is None:
        command = step.replace("train-", "train --member ")
        raise StoreError(
            f"{store.url}: no output of the step {step!r} yet; run `ferflow task {command}` first, "
            "or check --store"
        )
    return found


def recall_if_any(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT | None:
    """The latest output of `step`, or None."""
    key = f"{_FOLDER}/{step}.json"
    if not store.has(key):
        return None
    return ref_type.model_validate_json(store.read_bytes(key))


def local_report(store: ArtifactStore, run: ArtifactRef) -> Path:
    """A local file of the report for a browser; a copy if the store is remote."""
    path = store.fetch(run, "report.html")
    if store.is_local:
        return path
    copy = Path(_REPORTS) / f"{run.id}.html"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return copy.absolute()


def find_snapshot(store: ArtifactStore, text: str) -> SnapshotRef:
    """The snapshot whose id starts with `text`; a full URL works as well.

    Raises:
        StoreError: no snapshot matches, or more than one does.
    """
    return store.ref(SnapshotRef, _find_id(store, SnapshotRef, text))


def find_model(store: ArtifactStore, text: str) -> ModelRef:
    """The model whose id starts with `text`; a full URL works as well.

    Raises:
        StoreError: no model matches, or more than one does.
    """
    return model_ref(store, _find_id(store, ModelRef, text))


def _find_id(store: ArtifactStore, ref_type: type[ArtifactRef], text: str) -> str:
    prefix = text.rstrip("/").rpartition("/")[2]
    ids = store.list_ids(ref_type)
    matches = [known for known in ids if known.startswith(prefix)]
    if prefix in ids:
        return prefix
    if len(matches) != 1:
        found = (
            f"{len(matches)} ids start with {prefix!r}; use a longer beginning"
            if matches
            else f"no id starts with {prefix!r}"
        )
        available = ", ".join((matches or ids)[:_MAX_SHOWN]) or "none"
        raise StoreError(f"{store.url}/{ref_type.folder}: {found}; available: {available}")
    return matches[0]
