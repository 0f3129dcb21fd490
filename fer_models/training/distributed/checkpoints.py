"""Location of the checkpoints of a distributed training, reachable from all of its nodes."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.cluster_address import uses_cluster
from fer_models.storage.store import ArtifactStore
from fer_models.training.checkpoint_dir import CheckpointDir

_STORE_FOLDER = "training"
# Ray Train's name for the file that lists the checkpoints of a run.
_MANIFEST_FILE = "checkpoint_manager_snapshot.json"


@dataclass(frozen=True)
class CheckpointLocation:
    """The folder `path`/`name` on a pyarrow file system (None: the local disk)."""

    path: str
    name: str
    filesystem: Any = None


def checkpoint_location(store: ArtifactStore, local: CheckpointDir) -> CheckpointLocation:
    """The local checkpoint dir; on a cluster of RAY_ADDRESS, a folder of the store instead.

    The store is the only location that all nodes of a cluster are known to share.
    """
    if not uses_cluster():
        return local_location(local.path)
    key = f"{_STORE_FOLDER}/{local.path.name}"
    if store.has(f"{key}/{_MANIFEST_FILE}") and not _is_complete(
        store.read_bytes(f"{key}/{_MANIFEST_FILE}")
    ):
        store.remove_folder(key)
    path, filesystem = store.arrow_folder(_STORE_FOLDER)
    return CheckpointLocation(path, local.path.name, filesystem)


def local_location(folder: Path) -> CheckpointLocation:
    """The subfolder of a local folder that Ray Train writes to."""
    location = CheckpointLocation(str(folder), "ray")
    manifest = folder / location.name / _MANIFEST_FILE
    if manifest.exists() and not _is_complete(manifest.read_bytes()):
        shutil.rmtree(folder / location.name, ignore_errors=True)
    return location


def remove_checkpoints(store: ArtifactStore, local: CheckpointDir) -> None:
    """Delete the checkpoints of a finished training from the store."""
    store.remove_folder(f"{_STORE_FOLDER}/{local.path.name}")


def _is_complete(text: bytes) -> bool:
    """Whether the manifest is not truncated, which Ray Train would fail on."""
    try:
        return "checkpoint_results" in json.loads(text)
    except ValueError:
        return False
