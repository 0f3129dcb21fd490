"""Splitting: assign each image to train, validation or test, and keep copies together."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.dataset.config import SplittingConfig
from fer_models.dataset.copies import group_copies
from fer_models.dataset.near_duplicates import Positions
from fer_models.dataset.snapshot import (
    JUDGED,
    KEPT,
    QUARANTINED,
    SPLITS,
    UNASSIGNED,
    open_snapshot,
    open_tables,
    write_snapshot,
)
from fer_models.errors import DataError
from fer_models.labels import LABELLED_SOURCE, UNLABELLED
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_FRACTIONS = (
    ("validation_fraction",),
    ("test_fraction",),
    ("validation_fraction", "test_fraction"),
)
_TRIED_FRACTIONS = (0.1, 0.2, 0.05, 0.3, 0.4)
Splits = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]
Groups = Callable[[], Positions]
"""The group of copies of each of N images, searched only if a split is drawn."""


@dataclass(frozen=True)
class _Assignment:
    """The split of each of N images, the names of the drawn splits, and notes for the user."""

    splits: Splits
    drawn: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    restored: Mask | None = None
    """Held-out images that are no longer quarantined."""


def split_snapshot(
    store: ArtifactStore, snapshot: SnapshotRef, config: SplittingConfig, seed: int
) -> SnapshotRef:
    """Assign a split to every image; same snapshot, config and seed, same result.

    Strategy `source` keeps the source's splits and adds missing ones: a missing validation split
    is drawn from training, and a source without any splits gets all three. A source with other
    splits but no test split gets none, because nothing is taken from official training data for
    it. Strategy `stratified` ignores the source's splits. Draws are stratified by class and keep
    exact and near copies together, quarantined ones included, whatever cleaning was set to: no
    drawn split has a copy in another one.

    Cleaning has judged an image without a split as a training image. If it is drawn for validation
    or test, a quarantine because of its label score, face score or votes ends: without the images
    that networks find hard, held-out accuracy would be too high.

    Example:
        config = SplittingConfig(strategy="stratified", test_fraction=0.2)
        ref = split_snapshot(store, cleaned, config, seed=0)

    Raises:
        DataError: a required split has no kept labelled image, or a class has none in training;
            all cases are listed.
        StoreError: the snapshot is missing or damaged, or the store can't be written.
    """
    opened = open_snapshot(store, snapshot)

    @cache
    def groups() -> Positions:
        return group_copies(opened, np.arange(len(opened.manifest)), "split")

    manifest, assigned = _split(opened.manifest, groups, config, seed)
    if problems := _problems(manifest, assigned, opened.classes):
        raise DataError(
            f"snapshot {snapshot.id[:12]} can't be split for training and evaluation; add the "
            f"missing images{_advice(opened.manifest, groups, config, seed, opened.classes)}",
            problems,
        )
    return write_snapshot(
        store,
        manifest,
        opened.images,
        step="split",
        parent=snapshot,
        tables=open_tables(store, snapshot),
        info={"strategy": config.strategy, "drawn_splits": assigned.drawn, **assigned.notes},
    )


def draw_groups(
    manifest: pd.DataFrame, rows: Mask, fraction: float, rng: np.random.Generator
) -> Mask:
    """Draw about `fraction` of the kept, labelled images of each class, in whole groups of copies.

    A group counts as the class of its first kept, labelled image.

    Example:
        is_train = (manifest["split"] == "train").to_numpy()
        drawn = draw_groups(manifest, is_train, 0.1, np.random.default_rng(0))

    Args:
        manifest: N rows; those with the same `duplicate_group` stay together.
        rows: the candidates (N booleans). A group with members elsewhere is not drawn.
        fraction: 0..1 of the kept, labelled images among `rows`.
        rng: the only source of randomness.

    Returns:
        N booleans. Quarantined and unlabelled copies follow their group. In each class, the number
        drawn differs from its share by at most one image plus the size of one group.
    """
    groups = _groups(manifest, rows)
    labels = groups["label"].to_numpy(dtype=np.int64)
    sizes = groups["size"].to_numpy(dtype=np.int64)
    per_class = np.bincount(labels, weights=sizes)
    # Rounding the cumulative total keeps the whole draw within one image of its share, too.
    edges = np.round(np.concatenate([[0.0], np.cumsum(per_class)]) * fraction)
    wanted = np.diff(edges).astype(np.int64)
    chosen: list[int] = []
    for number in rng.permutation(len(groups)).tolist():
        label, size = labels[number], sizes[number]
        if size <= wanted[label]:
            wanted[label] -= size
            chosen.append(number)
    drawn = manifest["duplicate_group"].isin(groups.index[chosen]).to_numpy()
    return drawn & rows


def _assign(
    manifest: pd.DataFrame, groups: Groups, config: SplittingConfig, rng: np.random.Generator
) -> _Assignment:
    splits = manifest["split"].to_numpy(dtype=object).copy()
    drawable = (manifest["source"] != LABELLED_SOURCE).to_numpy()
    if config.strategy == "stratified" or (splits[drawable] == UNASSIGNED).all():
        grouped = manifest.assign(duplicate_group=groups())
        return _draw_all(grouped, splits, drawable, config, rng)
    unassigned = splits == UNASSIGNED
    splits[unassigned] = "train"
    notes = {"unassigned_put_into_train": int(unassigned.sum())}
    if (splits == "validation").any():
        return _Assignment(splits, notes=notes)
    rows = (splits == "train") & drawable
    grouped = manifest.assign(duplicate_group=groups())
    drawn = draw_groups(grouped, rows, config.validation_fraction, rng)
    splits[drawn] = "validation"
    return _Assignment(splits, drawn=("validation",), notes=notes)


def _draw_all(
    manifest: pd.DataFrame,
    splits: Splits,
    drawable: Mask,
    config: SplittingConfig,
    rng: np.random.Generator,
) -> _Assignment:
    judged = ((manifest["status"] == QUARANTINED) & manifest["reason"].isin(JUDGED)).to_numpy()
    manifest = manifest.assign(status=np.where(judged, KEPT, manifest["status"]))
    test = draw_groups(manifest, drawable, config.test_fraction, rng)
    # The validation fraction is of all images, and the test images are no longer candidates.
    share = config.validation_fraction / (1.0 - config.test_fraction)
    validation = draw_groups(manifest, drawable & ~test, share, rng)
    splits[:] = "train"
    splits[validation] = "validation"
    splits[test] = "test"
    restored = judged & (splits != "train")
    notes = {"restored": int(restored.sum())} if judged.any() else {}
    return _Assignment(splits, ("validation", "test"), notes, restored)


def _groups(manifest: pd.DataFrame, rows: Mask) -> pd.DataFrame:
    """Duplicate groups entirely within `rows`: `label`, and `size` in usable images (> 0)."""
    usable = (manifest["status"] == KEPT) & (manifest["label"] != UNLABELLED) & rows
    group = manifest["duplicate_group"]
    table = manifest.loc[usable].groupby("duplicate_group")["label"].agg(["first", "size"])
    table.columns = pd.Index(["label", "size"])
    elsewhere = group[~rows]
    return table[~table.index.isin(elsewhere)]


def _split(
    manifest: pd.DataFrame, groups: Groups, config: SplittingConfig, seed: int
) -> tuple[pd.DataFrame, _Assignment]:
    """The manifest with its splits, and how they came about."""
    assigned = _assign(manifest, groups, config, np.random.default_rng(seed))
    manifest = manifest.assign(split=pd.Series(assigned.splits, dtype="str"))
    if assigned.restored is not None:
        manifest.loc[assigned.restored, ["status", "reason"]] = KEPT, ""
    return manifest, assigned


def _problems(manifest: pd.DataFrame, assigned: _Assignment, classes: ClassList) -> list[str]:
    usable = manifest[(manifest["status"] == KEPT) & (manifest["label"] != UNLABELLED)]
    counts = usable["split"].value_counts()
    needed = ["train", "validation", *(["test"] if "test" in assigned.drawn else [])]
    problems = [
        f"split {split}: expected at least 1 kept labelled image, got 0"
        for split in SPLITS
        if split in needed and counts.get(split, 0) == 0
    ]
    in_training = set(usable.loc[usable["split"] == "train", "label"].tolist())
    problems += [
        f"class {name}: expected at least 1 kept training image, got 0 "
        f"({int((usable['label'] == number).sum())} in all splits)"
        for number, name in enumerate(classes.names)
        if number not in in_training
    ]
    return problems


def _advice(
    manifest: pd.DataFrame,
    groups: Groups,
    config: SplittingConfig,
    seed: int,
    classes: ClassList,
) -> str:
    """Settings with which these images can be split; "" if there are none."""
    for changes in _alternatives(config):
        try:
            changed = SplittingConfig.model_validate({**config.model_dump(), **changes})
        except ValueError:  # no images left for training
            continue
        if not _problems(*_split(manifest, groups, changed, seed), classes):
            settings = " and ".join(f"splitting.{name}={value}" for name, value in changes.items())
            return f", or set {settings}"
    return ""


def _alternatives(config: SplittingConfig) -> Iterator[dict[str, str | float]]:
    """Other settings, those with the fewest changes first."""
    strategies: list[dict[str, str | float]] = [{}]
    if config.strategy == "source":
        strategies.append({"strategy": "stratified"})
    yield from strategies[1:]
    for strategy in strategies:
        for names in _FRACTIONS:
            for fraction in _TRIED_FRACTIONS:
                yield {**strategy, **dict.fromkeys(names, fraction)}
