"""What each single step made last in a store, so that the next step finds its input."""

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


def remember(store: ArtifactStore, step: str, ref: ArtifactRef) -> None:
    """Note `ref` as the last thing that `step` made."""
    store.write_bytes(f"{_FOLDER}/{step}.json", json.dumps(ref.model_dump(mode="json")).encode())


def recall(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT:
    """What `step` made last.

    Raises:
        StoreError: the step has not run in this store.
    """
    found = recall_if_any(store, step, ref_type)
    if found is None:
        command = step.replace("train-", "train --member ")
        raise StoreError(
            f"{store.url}: nothing from the step {step!r} yet; run `ferflow task {command}` first, "
            "or check --store"
        )
    return found


def recall_if_any(store: ArtifactStore, step: str, ref_type: type[RefT]) -> RefT | None:
    """What `step` made last, or None."""
    key = f"{_FOLDER}/{step}.json"
    if not store.has(key):
        return None
    return ref_type.model_validate_json(store.read_bytes(key))


def local_report(store: ArtifactStore, run: ArtifactRef) -> Path:
    """A file of this machine that a browser opens: of a remote store, a copy is made."""
    path = store.fetch(run, "report.html")
    if store.is_local:
        return path
    copy = Path(_REPORTS) / f"{run.id}.html"
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, copy)
    return copy.absolute()


def find_snapshot(store: ArtifactStore, text: str) -> SnapshotRef:
    """The snapshot whose id starts with `text` (a whole URL is understood, too).

    Raises:
        StoreError: none or several do.
    """
    return SnapshotRef(
        id=(found := _find_id(store, SnapshotRef, text)), url=f"{store.url}/datasets/{found}"
    )


def find_model(store: ArtifactStore, text: str) -> ModelRef:
    """The model whose id starts with `text` (a whole URL is understood, too).

    Raises:
        StoreError: none or several do.
    """
    return model_ref(store, _find_id(store, ModelRef, text))


def _find_id(store: ArtifactStore, ref_type: type[ArtifactRef], text: str) -> str:
    start = text.rstrip("/").rpartition("/")[2]
    ids = store.list_ids(ref_type)
    found = [found for found in ids if found.startswith(start)]
    if start in ids:
        return start
    if len(found) != 1:
        state = "none starts" if not found else f"{len(found)} start"
        raise StoreError(
            f"{store.url}/{ref_type.folder}: expected one artifact with the id {text!r}, {state} "
            f"so; there are: {', '.join(ids[:10]) or 'none at all'}"
        )
    return found[0]
