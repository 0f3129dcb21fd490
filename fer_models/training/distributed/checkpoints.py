"""Where a distributed training keeps its checkpoints, so that all its nodes reach them."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir

_STORE_FOLDER = "training"
# Ray Train's own name of the file that lists the checkpoints of a run.
_LIST_FILE = "checkpoint_manager_snapshot.json"


@dataclass(frozen=True)
class CheckpointLocation:
    """The folder `path`/`name` on a pyarrow file system (None: this machine's disk)."""

    path: str
    name: str
    filesystem: Any = None


def checkpoint_location(store: ArtifactStore, work: CheckpointDir) -> CheckpointLocation:
    """The work folder of the training; on a cluster of RAY_ADDRESS, a folder of the store.

    The nodes of a cluster share the store, and no other location that we know of.
    """
    if not os.environ.get("RAY_ADDRESS"):
        return local_location(work.path)
    key = f"{_STORE_FOLDER}/{work.path.name}"
    if store.has(f"{key}/{_LIST_FILE}") and not _is_whole(store.read_bytes(f"{key}/{_LIST_FILE}")):
        store.remove_folder(key)
    path, filesystem = store.arrow_folder(_STORE_FOLDER)
    return CheckpointLocation(path, work.path.name, filesystem)


def local_location(folder: Path) -> CheckpointLocation:
    """A part of a folder of this machine."""
    location = CheckpointLocation(str(folder), "ray")
    listed = folder / location.name / _LIST_FILE
    if listed.exists() and not _is_whole(listed.read_bytes()):
        shutil.rmtree(folder / location.name, ignore_errors=True)
    return location


def remove_checkpoints(store: ArtifactStore, work: CheckpointDir) -> None:
    """Remove what a training kept in the store: its model is written."""
    store.remove_folder(f"{_STORE_FOLDER}/{work.path.name}")


def _is_whole(text: bytes) -> bool:
    """Ray Train refuses to start over a list that was cut off while it was written."""
    try:
        return "checkpoint_results" in json.loads(text)
    except ValueError:
        return False
