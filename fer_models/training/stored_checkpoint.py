"""A copy of a training's checkpoint in the artifact store, from which another node continues.

Only trainings on the nodes of a cluster write one: a node that is lost takes its disk with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fer_models.remote.worker import current_node
from fer_models.storage.store import ArtifactStore

CHECKPOINTS_FOLDER = "checkpoints"


class StoredCheckpoint:
    """The copy of one training; without a cluster nothing is copied."""

    def __init__(self, store: ArtifactStore, training_key: str, local: Path) -> None:
        self._store = store
        self._folder = f"{CHECKPOINTS_FOLDER}/{training_key}"
        self._key = f"{self._folder}/{local.name}"
        self._local = local
        self._is_used = current_node() is not None
        self._saved_ns = 0

    def restore(self) -> None:
        """Fetch the copy, if it has more epochs than this node's own checkpoint."""
        from fer_models.training.engine.fit import epochs_done

        if not self._is_used or not self._store.has(self._key):
            return
        fetched = self._local.with_suffix(".fetched")
        fetched.write_bytes(self._store.read_bytes(self._key))
        if epochs_done(fetched) > epochs_done(self._local):
            fetched.replace(self._local)
        else:
            fetched.unlink()

    def save(self) -> None:
        """Copy the checkpoint to the store, if it has changed since; call it after each epoch."""
        if not self._is_used or not self._local.exists():
            return
        changed_ns = self._local.stat().st_mtime_ns
        if changed_ns != self._saved_ns:
            self._store.write_bytes(self._key, self._local.read_bytes())
            self._saved_ns = changed_ns

    def remove(self) -> None:
        """Delete the copy, once the model is written."""
        if self._is_used:
            self._store.remove_folder(self._folder)


@contextmanager
def stored_checkpoint(
    store: ArtifactStore, training_key: str, local: Path
) -> Iterator[StoredCheckpoint]:
    """Restore the copy before the block, and delete it if the block succeeds.

    Args:
        store: holds the copy, below `checkpoints/`.
        training_key: see `fer_models.training.checkpoint_dir.training_key`.
        local: this node's checkpoint file.
    """
    copy = StoredCheckpoint(store, training_key, local)
    copy.restore()
    yield copy
    copy.remove()
