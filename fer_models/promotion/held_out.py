"""Held-out images that a stored network has learned from: they can't judge what starts from it."""

from typing import NamedTuple

import pandas as pd

from fer_models.dataset.image_format import recorded_format
from fer_models.dataset.snapshot import KEPT, open_table
from fer_models.errors import StoreError
from fer_models.evaluation.predictions import AVERAGED, IMPORTED, final_fit_of, model_ref
from fer_models.labels import UNLABELLED
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

_TRAIN, _VALIDATION, _TEST = "train", "validation", "test"
_HELD_OUT = [_VALIDATION, _TEST]
_PIXELS, _IMAGE_ID = "pixel_sha256", "image_id"


class _Training(NamedTuple):
    """Images that weights were trained on: splits of a snapshot."""

    snapshot_id: str
    splits: tuple[str, ...]


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
        self._tables: dict[str, pd.DataFrame] = {}
        self._reasons: dict[str, str] = {}

    def why_unfair(self, network: ModelRef) -> str:
        """Why they can't judge a network that starts from this one; "" if they can.

        An image is known by its pixels; if the snapshots store images in different formats, by
        its id. Held-out images that are also in the training split of their own snapshot don't
        count: a training from scratch learns from them, too.

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
        trainings = sorted(_trainings(self._store, network))
        refs = {one: self._store.ref(SnapshotRef, one.snapshot_id) for one in trainings}
        gone = sorted({ref.id[:12] for ref in refs.values() if not self._store.exists(ref)})
        if gone:
            return (
                f"{network.id} was trained on snapshot {', '.join(gone)}, which is not in the "
                "store, so it may have learned from validation or test images"
            )
        held_out = self._images(self._snapshot, _HELD_OUT)
        own = self._images(self._snapshot, [_TRAIN])
        seen = pd.Series(data=False, index=held_out.index)
        for training, ref in refs.items():
            key = self._key(ref)
            learned = self._images(ref, list(training.splits))
            seen |= held_out[key].isin(learned[key]) & ~held_out[key].isin(own[key])
        if not seen.any():
            return ""
        return (
            f"{network.id} was trained on {int(seen.sum()):,} of the {len(held_out):,} validation "
            "and test images"
        )

    def _key(self, other: SnapshotRef) -> str:
        """The column by which the images of both snapshots are compared."""
        formats = {recorded_format(self._store.info(ref)) for ref in (self._snapshot, other)}
        return _PIXELS if len(formats) == 1 else _IMAGE_ID

    def _images(self, ref: SnapshotRef, splits: list[str]) -> pd.DataFrame:
        """The kept, labelled images of some splits."""
        if ref.id not in self._tables:
            self._tables[ref.id] = open_table(self._store, ref, "manifest")
        table = self._tables[ref.id]
        usable = (table["status"] == KEPT) & (table["label"] != UNLABELLED)
        return table[usable & table["split"].isin(splits)]


def _trainings(store: ArtifactStore, network: ModelRef) -> set[_Training]:
    """All that the weights of a network were trained on.

    Also those that it started from, and those that it is the mean of. Of an imported network it is
    what its bundle says.
    """
    found: set[_Training] = set()
    pending, known = [network], {network.id}
    while pending:
        model = pending.pop()
        lineage = store.read_json(model, "lineage.json")
        snapshot_id = lineage.get(IMPORTED, store.info(model)).get("snapshot_id")
        is_final = final_fit_of(store, model) is not None
        found.add(_Training(str(snapshot_id), (_TRAIN, _VALIDATION) if is_final else (_TRAIN,)))
        earlier = {lineage.get("initial"), *lineage.get(AVERAGED, ())} - {None} - known
        known |= earlier
        pending += [model_ref(store, model_id) for model_id in sorted(earlier)]
    return found
