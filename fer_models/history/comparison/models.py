"""Compare two stored models on the images that both of them have in a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fer_models.dataset.copies import find_copies
from fer_models.dataset.snapshot import DatasetSnapshot, open_snapshot
from fer_models.errors import ConfigError, DataError
from fer_models.evaluation.cross_fitted import read_comparable
from fer_models.evaluation.predictions import Predictions, held_out_splits, model_ref
from fer_models.evaluation.seen.images import Mask, seen_by_either
from fer_models.evaluation.seen.trainings import Trainings, trainings_of
from fer_models.history.comparison.common import CommonImages, common_images
from fer_models.history.comparison.paired import (
    Ints,
    PairedDifference,
    class_differences,
    paired_difference,
)
from fer_models.storage.refs import ModelRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

Split = Literal["test", "validation"]
SPLITS: tuple[Split, ...] = ("test", "validation")


class CommonSet(BaseModel):
    """Which images of the split were compared; see `CommonImages` for the counts."""

    model_config = ConfigDict(frozen=True)
    same_snapshot: bool
    n: int
    by_id: int
    by_pixels: int
    relabelled: int
    only_a: int
    only_b: int
    seen: int
    """Common images that are left out, because one model was trained on them or on near copies."""

    @property
    def is_complete(self) -> bool:
        """Whether both snapshots have exactly these images in the split, with these labels."""
        return self.only_a == self.only_b == self.relabelled == 0


class SplitComparison(BaseModel):
    """Two models on the common images of a split, in total and by class."""

    model_config = ConfigDict(frozen=True)
    split: Split
    common: CommonSet
    overall: PairedDifference
    classes: dict[str, PairedDifference]
    unknown: tuple[str, ...]
    """Sentences about training images that are not known, and may be among those compared."""


class ModelComparison(BaseModel):
    """Model A and model B on each split that they have images of in common."""

    model_config = ConfigDict(frozen=True)
    a: str
    b: str
    splits: tuple[SplitComparison, ...]


@dataclass(frozen=True)
class Side:
    """A model with its snapshot and predictions."""

    store: ArtifactStore
    model: ModelRef
    snapshot: DatasetSnapshot
    predictions: dict[str, Predictions]

    @cached_property
    def groups(self) -> Ints:
        """The group of copies of every image of the snapshot."""
        return find_copies(self.store, self.snapshot).group

    @cached_property
    def trainings(self) -> Trainings:
        """All that the weights of the model were trained on."""
        return trainings_of(self.store, self.model)


def compare_models(
    store: ArtifactStore, a: ModelRef, b: ModelRef, splits: Sequence[Split] = SPLITS
) -> ModelComparison:
    """Compare model B with model A by the probabilities that were stored with them.

    Images that either was trained on, or a near copy of them, are left out, unless both were
    trained on the same images; see `seen_by_either`.

    Args:
        store: holds both.
        a: a network or an ensemble.
        b: another one, of the same classes; its snapshot may be another one.
        splits: which to compare on; those without common images are left out.

    Raises:
        ConfigError: both are the same model.
        DataError: the classes differ, or no image that neither was trained on is in a split of
            both.
        StoreError: an artifact is missing or damaged.

    Example:
        for part in compare_models(store, model_ref(store, "a-1"), model_ref(store, "b-2")).splits:
            print(part.split, part.overall.difference, part.overall.p_value)
    """
    if a.id == b.id:
        raise ConfigError(
            f"A and B are the same model, {a.id}; name two, see `ferflow models list`"
        )
    side_a, side_b = open_side(store, a.id), open_side(store, b.id)
    side_a.snapshot.classes.require_same(side_b.snapshot.classes, a.id, b.id)
    found = [compare_sides(side_a, side_b, split) for split in splits]
    compared = tuple(part for part in found if part is not None)
    if not compared:
        raise DataError(no_common_images("models", splits))
    return ModelComparison(a=a.id, b=b.id, splits=compared)


def no_common_images(noun: str, splits: Sequence[Split]) -> str:
    """Why two models or runs can't be compared."""
    return (
        f"the {noun} have no image with the same label in common in {' or '.join(splits)} that "
        "neither was trained on: their accuracies are of different images and can't be compared"
    )


def open_side(store: ArtifactStore, model_id: str, snapshot_id: str | None = None) -> Side:
    """A model with its predictions for a snapshot, by default the one it was trained on.

    Raises:
        DataError: it was trained on another snapshot.
        StoreError: an artifact is missing or damaged.
    """
    model = model_ref(store, model_id)
    trained_on = snapshot_id or str(store.info(model).get("snapshot_id"))
    snapshot = open_snapshot(store, store.ref(SnapshotRef, trained_on))
    splits = held_out_splits(store, model)
    return Side(store, model, snapshot, read_comparable(store, snapshot, model, splits))


def compare_sides(a: Side, b: Side, split: Split) -> SplitComparison | None:
    """The comparison on the images that both have in a split.

    None if there are none, or if one of them was trained on that split (a final fit) or, in
    another training, on all of these images.
    """
    if split not in a.predictions or split not in b.predictions:
        return None
    common = common_images(a.snapshot, b.snapshot, split)
    positions = a.predictions[split].positions[common.rows_a]
    pair = a.trainings, b.trainings
    seen_N = seen_by_either(a.store, a.snapshot, pair, positions, "compare")
    return None if seen_N.all() else _measured(a, b, split, common, seen_N)


def _measured(
    a: Side, b: Side, split: Split, common: CommonImages, seen_N: Mask
) -> SplitComparison:
    rows_a, rows_b = common.rows_a[~seen_N], common.rows_b[~seen_N]
    correct_a = a.predictions[split].correct[rows_a]
    correct_b = b.predictions[split].correct[rows_b]
    labels = a.predictions[split].labels[rows_a]
    groups = a.groups[a.predictions[split].positions[rows_a]]
    return SplitComparison(
        split=split,
        common=CommonSet(
            same_snapshot=a.snapshot.ref.id == b.snapshot.ref.id,
            n=len(labels),
            by_id=common.by_id,
            by_pixels=common.by_pixels,
            relabelled=common.relabelled,
            only_a=common.only_a,
            only_b=common.only_b,
            seen=int(seen_N.sum()),
        ),
        overall=paired_difference(correct_a, correct_b, groups),
        classes=class_differences(correct_a, correct_b, labels, a.snapshot.classes.names, groups),
        unknown=tuple(filter(None, (a.trainings.unknown, b.trainings.unknown))),
    )
