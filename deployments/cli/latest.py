"""Artifacts that a command line names by the beginning of an id, and reports for a browser."""

import shutil
from pathlib import Path

from fer_models.errors import StoreError
from fer_models.evaluation.predictions import model_ref
from fer_models.storage.refs import ArtifactRef, ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_REPORTS = ".ferflow/reports"
_MAX_SHOWN = 10


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
