"""The directory that holds a training's checkpoint until its model is written.

Its name is a hash of everything the result depends on, so a restarted training finds its own
checkpoint and no other. All of them are in the user's cache folder.
"""

import fcntl
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
from fer_models.models.config import FACE_CNN_OPTIONS
from fer_models.models.pretrained.shipped import teacher_fingerprint
from fer_models.models.pretrained.start import pretrained_fingerprint, without_weights_dir
from fer_models.private_folder import make_private
from fer_models.source_hash import source_hash
from fer_models.storage.json_bytes import json_key
from fer_models.storage.refs import FoldRef, ModelRef, SnapshotRef
from fer_models.storage.store import default_cache_dir
from fer_models.training.config import MemberConfig
from fer_models.training.runtime import best_device, resolve_precision

# Results depend on the source of this module and of everything it imports.
_ENTRY_POINT = "fer_models.training.train"

# Settings that are left out of a member's identity if they are off: older models had none.
_OFF: dict[str, Any] = {"half_weights": False, "loss": "cross_entropy", "sharpness_radius": 0.0}

_LOGGER = logging.getLogger(__name__)
_MAX_AGE_S = 14 * 86_400.0


@dataclass(frozen=True)
class CheckpointDir:
    """The checkpoint directory of one training."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """The checkpoint of the last finished epoch."""
        return self.path / "last.ckpt"

    def remove(self) -> None:
        """Delete the directory, once the model is written."""
        shutil.rmtree(self.path, ignore_errors=True)


def training_key(
    snapshot: SnapshotRef,
    member: MemberConfig,
    seed: int,
    teachers: Sequence[ModelRef | FoldRef] = (),
    initial: ModelRef | None = None,
) -> str:
    """Hash of everything the result of a training depends on (24 hex digits)."""
    device = best_device()
    parts = {
        "snapshot": snapshot.id,
        "member": member_identity(member),
        "pretrained": pretrained_fingerprint(member.network),
        "teachers": [teacher.id for teacher in teachers],
        "bundled": bundled_fingerprints(member),
        "initial": initial.id if initial else None,
        "seed": seed,
        "source": source_hash(_ENTRY_POINT),
        "torch": package_version("torch"),
        "device": device.type,
        "precision": resolve_precision(member.training, device),
    }
    return json_key(parts)


def bundled_fingerprints(member: MemberConfig) -> dict[str, str]:
    """The fingerprints of the shipped weights that teach the member, by name."""
    return {name: teacher_fingerprint(name) for name in member.bundled_teachers}


def with_portable_network(member: MemberConfig) -> MemberConfig:
    """The member without the path of its pretrained weights: only their content matters."""
    return member.model_copy(update={"network": without_weights_dir(member.network)})


def member_identity(member: MemberConfig) -> dict[str, Any]:
    """The settings that a member's weights depend on, as JSON values.

    Left out: the worker settings if there is one worker, the teacher settings if there are no
    teachers (those of consistent ones if there are none), the folds if there are none, options of
    the network that are at their default, and always the placement, the checkpoint interval and
    CUDA graphs.
    """
    settings: dict[str, Any] = with_portable_network(member).model_dump(mode="json")
    del settings["placement"]
    for name in ("checkpoint_every_s", "cuda_graph"):
        del settings["training"][name]
    if member.training.workers == 1:
        for name in ("workers", "min_workers", "cpus_per_worker", "worker_losses"):
            del settings["training"][name]
    for name in _unused_settings(member):
        del settings["training"][name]
    if not member.training.augment.operations:
        del settings["training"]["augment"]["operations"]
    if not member.teachers:
        del settings["teachers"]
    settings["network"] = {
        name: value
        for name, value in settings["network"].items()
        if name not in FACE_CNN_OPTIONS or value != FACE_CNN_OPTIONS[name]
    }
    if not member.out_of_fold.folds:
        del settings["out_of_fold"]
    return settings


def _unused_settings(member: MemberConfig) -> list[str]:
    """Training settings without effect: of teachers, of other schedules, and what is off."""
    unused = [] if member.teachers else ["teacher_weight"]
    if member.training.schedule != "trapezoid":
        unused.append("decay_fraction")
    unused += [name for name, off in _OFF.items() if getattr(member.training, name) == off]
    if not member.teachers or not member.training.consistent_teachers:
        unused += ["consistent_teachers", "teacher_copies"]
    return unused


@contextmanager
def checkpoint_dir(key: str, root: Path | None = None) -> Iterator[CheckpointDir]:
    """Lock the checkpoint directory of the training `key` for this process.

    If another process runs the same training, or the cache folder is not writable, the block gets
    a temporary directory instead: the training works, but can't be resumed.

    Args:
        key: see `training_key`.
        root: parent of all checkpoint directories; by default `<cache>/training`.
    """
    root = root or default_cache_dir() / "training"
    with ExitStack() as stack:
        try:
            make_private(root)
            locked = stack.enter_context(_locked(root / f"{key}.lock"))
            if locked:
                _remove_stale(root)
                make_private(root / key)
        except OSError as error:
            _LOGGER.warning(
                "can't use %s for checkpoints (%s): this training can't be resumed", root, error
            )
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
    """Try to take the lock; the kernel releases it if the process dies.

    Not the filelock package: it leaves its lock files behind, one for every training.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The last owner may have deleted the file between our open and our lock.
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


def _remove_stale(root: Path) -> None:
    """Delete checkpoint directories of trainings that were never resumed."""
    oldest_s = time.time() - _MAX_AGE_S
    for folder in root.iterdir():
        if folder.is_dir() and folder.stat().st_mtime < oldest_s:
            shutil.rmtree(folder, ignore_errors=True)
