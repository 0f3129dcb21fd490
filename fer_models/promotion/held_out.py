"""Held-out images that a stored network has learned from: they can't judge what starts from it."""

from fer_models.dataset.snapshot import KEPT, open_table
from fer_models.errors import StoreError
from fer_models.evaluation.seen.images import exactly_seen
from fer_models.evaluation.seen.trainings import TRAIN, Training, trainings_of
from fer_models.labels import UNLABELLED
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_HELD_OUT = ["validation", "test"]


class HeldOutImages:
    """The validation and test images of a snapshot.

    Drawn splits are drawn anew for other data, so a network of an earlier snapshot may have been
    trained on them. Only manifests are read.

    Args:
        store: holds the snapshot and the networks.
        snapshot: the data of the next training.
    """

    def __init__(self, store: ArtifactStore, snapshot: SnapshotRef) -> None:
        """Nothing is read yet."""
        self._store = store
        self._snapshot = snapshot
        self._reasons: dict[str, str] = {}

    def why_unfair(self, network: ModelRef) -> str:
        """Why they can't judge a network that starts from this one; "" if they can.

        See `trainings_of` for what a network was trained on, and `exactly_seen` for when an image
        is the same. Held-out images that are also in the training split of their own snapshot
        don't count: a training from scratch learns from them, too.

        Example:
            HeldOutImages(store, snapshot).why_unfair(network)
            # "face_cnn-1a2b was trained on 392 of the 1,000 validation and test images"
        """
        if network.id not in self._reasons:
            try:
                self._reasons[network.id] = self._reason(network)
            except StoreError as error:
                why = error.message.splitlines()[0]
                self._reasons[network.id] = f"training images of {network.id} are not known: {why}"
        return self._reasons[network.id]

    def _reason(self, network: ModelRef) -> str:
        trainings = trainings_of(self._store, network)
        if trainings.problem:
            return trainings.unknown
        if trainings.missing:
            return f"{trainings.unknown}, so it may have learned from validation or test images"
        manifest = open_table(self._store, self._snapshot, "manifest")
        usable = (manifest["status"] == KEPT) & (manifest["label"] != UNLABELLED)
        held_out = (usable & manifest["split"].isin(_HELD_OUT)).to_numpy()
        own = {Training(self._snapshot.id, (TRAIN,))}
        seen = exactly_seen(self._store, self._snapshot, trainings.found)
        seen &= held_out & ~exactly_seen(self._store, self._snapshot, own)
        if not seen.any():
            return ""
        return (
            f"{network.id} was trained on {int(seen.sum()):,} of the {int(held_out.sum()):,} "
            "validation and test images"
        )
