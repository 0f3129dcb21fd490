"""Where a training keeps its checkpoint until the model is written.

The folder's name is made of everything the result depends on, so a training that is started
again finds the state of the one that died, and no other. It lies below the user's cache folder.
"""

import fcntl
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_models.lineage import package_version
from fer_models.models.pretrained import pretrained_fingerprint, without_weights_dir
from fer_models.source_hash import source_hash
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import default_cache_dir
from fer_models.training.config import MemberConfig
from fer_models.training.runtime import best_device, resolve_precision

# Its source, and that of all it imports, is part of what a result depends on.
_ENTRY = "fer_models.training.train"

_LOGGER = logging.getLogger(__name__)
_MAX_AGE_S = 14 * 86_400.0


@dataclass(frozen=True)
class CheckpointDir:
    """The folder of one training."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.path / "last.ckpt"

    def remove(self) -> None:
        """Remove it: the model is written."""
        shutil.rmtree(self.path, ignore_errors=True)


def training_key(
    snapshot: SnapshotRef, member: MemberConfig, seed: int, teachers: Sequence[ModelRef] = ()
) -> str:
    """Name of a training by what its result depends on (24 hex)."""
    device = best_device()
    parts = {
        "snapshot": snapshot.id,
        "member": member_identity(member),
        "pretrained": pretrained_fingerprint(member.network),
        "teachers": [teacher.id for teacher in teachers],
        "seed": seed,
        "source": source_hash(_ENTRY),
        "torch": package_version("torch"),
        "device": device.type,
        "precision": resolve_precision(member.training, device),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]


def with_portable_network(member: MemberConfig) -> MemberConfig:
    """The member without the place where pretrained weights lay: their content is what counts."""
    return member.model_copy(update={"network": without_weights_dir(member.network)})


def member_identity(member: MemberConfig) -> dict[str, Any]:
    """The settings that a member's weights depend on, as JSON values.

    In one process the settings for several workers are none of them, and without teachers that
    for teachers is not. How often it is written down and how a GPU is told what to do never count.
    """
    settings: dict[str, Any] = with_portable_network(member).model_dump(mode="json")
    for name in ("checkpoint_every_s", "cuda_graph"):
        del settings["training"][name]
    if member.training.workers == 1:
        for name in ("workers", "min_workers", "cpus_per_worker", "worker_losses"):
            del settings["training"][name]
    if not member.teachers:
        del settings["teachers"], settings["training"]["teacher_weight"]
    return settings


@contextmanager
def checkpoint_dir(key: str, root: Path | None = None) -> Iterator[CheckpointDir]:
    """The folder of the training `key`, for this process alone while the block runs.

    Where another process is at the same training, or the cache folder can't be written, the
    training gets a temporary folder: it works, but can't be resumed.

    Args:
        key: see `training_key`.
        root: holds the folders of all trainings; by default `<cache>/training`.
    """
    root = root or default_cache_dir() / "training"
    with ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            locked = stack.enter_context(_locked(root / f"{key}.lock"))
            if locked:
                _remove_old(root)
                (root / key).mkdir(exist_ok=True)
        except OSError as error:
            _LOGGER.warning("%s can't be used (%s): the training can't be resumed", root, error)
            locked = False
        if not locked:
            temporary = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="ferflow-training-", ignore_cleanup_errors=True)
            )
            yield CheckpointDir(Path(temporary))
            return
        yield CheckpointDir(root / key)


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether this process got the lock; the kernel frees it when the process dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed the file between our open and our lock.
            locked = os.path.samestat(os.fstat(descriptor), path.stat())
        except OSError:
            locked = False
        try:
            yield locked
        finally:
            if locked:
                path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _remove_old(root: Path) -> None:
    """Remove what trainings that were never resumed left behind."""
    oldest_s = time.time() - _MAX_AGE_S
    for folder in root.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest_s:
            shutil.rmtree(folder, ignore_errors=True)
