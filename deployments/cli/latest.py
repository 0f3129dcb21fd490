"""Artifacts that a command line names by the beginning of an id, and reports for a browser."""

import shutil
from pathlib import Path

from fer_models.storage.find import find_id
from fer_models.storage.refs import ArtifactRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_REPORTS = ".ferflow/reports"


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
    return store.ref(SnapshotRef, find_id(store, SnapshotRef, text))
