"""Notice that a store was deleted while something is made from it."""

import time
from collections.abc import Sequence
from contextlib import suppress

from fer_models.errors import StoreError
from fer_models.storage.refs import ArtifactRef
from fer_models.storage.store import ArtifactStore

_EVERY_S = 10.0


class Inputs:
    """The artifacts that something is made from; they must be there until it is written.

    Args:
        store: holds them.
        refs: the artifacts.
        work: what is made from them, such as `the training of compact_cnn`.

    Example:
        inputs = Inputs(store, [snapshot], "the training of compact_cnn")
        inputs.look()  # after each epoch
        inputs.require()  # before the model is written
    """

    def __init__(self, store: ArtifactStore, refs: Sequence[ArtifactRef], work: str) -> None:
        self._store = store
        self._refs = tuple(refs)
        self._work = work
        self._looked_at_s = time.monotonic()

    def look(self) -> None:
        """Require the inputs, every ten seconds; a store that can't be reached is no reason.

        Raises:
            StoreError: an input is gone.
        """
        if time.monotonic() - self._looked_at_s < _EVERY_S:
            return
        self._looked_at_s = time.monotonic()
        gone: list[ArtifactRef] = []
        with suppress(StoreError):
            gone = self._gone()
        self._refuse(gone)

    def require(self) -> None:
        """Require the inputs.

        Raises:
            StoreError: an input is gone, or the store can't be reached.
        """
        self._refuse(self._gone())

    def _gone(self) -> list[ArtifactRef]:
        return [ref for ref in self._refs if not self._store.exists(ref)]

    def _refuse(self, gone: list[ArtifactRef]) -> None:
        if not gone:
            return
        names = ", ".join(f"{ref.folder}/{ref.id}" for ref in gone)
        # Its cause says that a retry would not help.
        raise StoreError(
            f"{self._store.url}: {names} was removed during {self._work}, which needs it; was the "
            "store deleted or moved? Its result was not written. Restore the store, or run the "
            "same command again: it makes what is missing, and a training continues from its last "
            "checkpoint"
        ) from FileNotFoundError(gone[0].url)
