"""What changed between two snapshots, by content: pixels and labels, not names or order.

An image is known by the sha256 of its pixels, so a touched file, another folder or another order
changes nothing, and exact copies count once. What cleaning quarantines by itself is not a change
either: it follows from the images and may differ by an image or two from one order to another.
What a person decided in a review is.
"""

from dataclasses import dataclass

import pandas as pd

from fer_models.cleaning.state import BY_PERSON
from fer_models.dataset.snapshot import KEPT, open_snapshot
from fer_models.labels import UNLABELLED
from fer_models.promotion.config import RetrainingConfig
from fer_models.promotion.criteria import Criterion, not_judged
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

NAME = "new data"
_Labels = tuple[int, ...]


@dataclass(frozen=True)
class DataChange:
    """Numbers of distinct labelled images.

    `added` and `removed` by pixels; `relabelled` are in both snapshots with other labels.
    """

    added: int
    removed: int
    relabelled: int

    @property
    def total(self) -> int:
        """All changed images."""
        return self.added + self.removed + self.relabelled

    def __str__(self) -> str:
        """Such as `12 added, 0 removed, 3 relabelled`."""
        return f"{self.added} added, {self.removed} removed, {self.relabelled} relabelled"


def data_change(store: ArtifactStore, before: SnapshotRef, after: SnapshotRef) -> DataChange:
    """Compare the labelled images of two snapshots, in any split.

    Example:
        data_change(store, champions_snapshot, prepared.snapshot).added

    Raises:
        StoreError: a snapshot is missing or damaged.
    """
    if before.id == after.id:
        return DataChange(0, 0, 0)
    old, new = _labels_by_pixels(store, before), _labels_by_pixels(store, after)
    common = old.keys() & new.keys()
    return DataChange(
        added=len(new.keys() - common),
        removed=len(old.keys() - common),
        relabelled=sum(old[sha] != new[sha] for sha in common),
    )


def new_data_criterion(
    store: ArtifactStore, trained_on: SnapshotRef | None, now: SnapshotRef, config: RetrainingConfig
) -> Criterion:
    """Whether enough images changed since the champion was trained.

    Args:
        store: holds both snapshots.
        trained_on: the champion's training snapshot; None if it is not known.
        now: the current data.
        config: `on_new_data` and `min_new_images`.
    """
    threshold = f"{config.min_new_images} or more changed images"
    if not config.on_new_data:
        return not_judged(NAME, threshold, "switched off (retraining.on_new_data)")
    if trained_on is None:
        return not_judged(NAME, threshold, "there is no champion to compare with")
    if not store.exists(trained_on):
        return _by_id(trained_on, now, threshold)
    change = data_change(store, trained_on, now)
    fired = change.total >= config.min_new_images
    snapshots = f"snapshot {trained_on.id[:12]}, now {now.id[:12]}"
    if fired:
        text = f"the data changed since the champion was trained: {change} ({snapshots})"
    else:
        text = f"the images are those of the champion's training: {change} ({snapshots})"
        if change.total:
            text = f"too few images changed since the champion was trained: {change} ({snapshots})"
    return Criterion(name=NAME, observed=str(change), threshold=threshold, fired=fired, text=text)


def _by_id(trained_on: SnapshotRef, now: SnapshotRef, threshold: str) -> Criterion:
    """Without the champion's snapshot, only the ids can be compared."""
    fired = trained_on.id != now.id
    return Criterion(
        name=NAME,
        observed=f"snapshot {now.id[:12]}",
        threshold=threshold,
        fired=fired,
        text=f"the champion was trained on snapshot {trained_on.id[:12]}, which is no longer in "
        f"the store, so its images can't be compared; the current one is {now.id[:12]}",
    )


def _labels_by_pixels(store: ArtifactStore, ref: SnapshotRef) -> dict[str, _Labels]:
    """The distinct labels of each image by pixel hash, without images that people dropped."""
    columns = ["pixel_sha256", "label", "status", "reason"]
    table = open_snapshot(store, ref).manifest[columns]
    dropped = set(table["pixel_sha256"][table["reason"] == BY_PERSON])
    table = table[(table["label"] != UNLABELLED) & ~table["pixel_sha256"].isin(dropped)]
    # The kept copies decide; a quarantined image has the label of its source.
    kept = table[table["status"] == KEPT]
    return _by_hash(table) | _by_hash(kept)


def _by_hash(table: pd.DataFrame) -> dict[str, _Labels]:
    labels: dict[str, set[int]] = {}
    for sha, label in zip(table["pixel_sha256"], table["label"].tolist(), strict=True):
        labels.setdefault(str(sha), set()).add(int(label))
    return {sha: tuple(sorted(found)) for sha, found in labels.items()}
