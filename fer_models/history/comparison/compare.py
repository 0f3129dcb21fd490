"""Compare two runs: their settings, their data, and their candidates on the same images."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import SPLITS, DatasetSnapshot, open_snapshot
from fer_models.errors import DataError, FerError
from fer_models.evaluation.predictions import Predictions, model_ref, read_predictions
from fer_models.history.comparison.common import CommonImages, common_images
from fer_models.history.comparison.paired import (
    PairedDifference,
    class_differences,
    paired_difference,
)
from fer_models.history.reading import infos
from fer_models.history.record import RunRecord
from fer_models.history.settings import SettingChange, setting_changes
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

Split = Literal["test", "validation"]
STEPS = ("ingest", "clean", "split")
_COUNTS = {"images": "num_images", "kept": "kept", "quarantined": "quarantined"}


class SideBySide(BaseModel):
    """One fact of both runs; None where a run lacks it."""

    model_config = ConfigDict(frozen=True)
    name: str
    a: Any
    b: Any

    @property
    def differs(self) -> bool:
        """Whether the runs differ in it."""
        return bool(self.a != self.b)


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

    @property
    def is_complete(self) -> bool:
        """Whether both runs have exactly these images in the split, with these labels."""
        return self.only_a == self.only_b == self.relabelled == 0


class RunComparison(BaseModel):
    """Run A (usually the earlier one) and run B."""

    model_config = ConfigDict(frozen=True)
    a: RunRecord
    b: RunRecord
    settings: tuple[SettingChange, ...]
    snapshots: tuple[SideBySide, ...]
    """Ids by step."""
    counts: tuple[SideBySide, ...]
    """Images of the last snapshot: all, kept, by split, and kept by class."""
    candidate_a: str | None
    candidate_b: str | None
    split: Split | None
    common: CommonSet | None
    overall: PairedDifference | None
    """The candidates on the common images of the split; None if they can't be compared."""
    classes: dict[str, PairedDifference]
    problem: str
    """Why the candidates can't be compared; empty if they can."""


def compare_runs(
    store: ArtifactStore, a: RunRecord, b: RunRecord, split: Split | None = None
) -> RunComparison:
    """Compare two runs of a store.

    The candidates are compared on the images that both runs have in the split, with the same label,
    by the probabilities that were stored after training. So neither of them has seen the images in
    training, as far as its run's split keeps them apart.

    Args:
        store: holds the artifacts of both.
        a: the run that B is compared with.
        b: the other run.
        split: by default `test` if both have such images in common, else `validation`.

    Raises:
        StoreError: the store can't be read.

    Example:
        result = compare_runs(store, find_run(store, "latest~1"), find_run(store, "latest"))
        result.settings, result.overall
    """
    known = _snapshot_infos(store, a, b)
    found: dict[str, Any] = {}
    problem = ""
    try:
        found = _compare_candidates(store, a, b, split)
    except FerError as error:
        problem = error.message
    return RunComparison(
        a=a,
        b=b,
        settings=setting_changes(a.config, b.config),
        snapshots=_snapshots(a, b),
        counts=_counts(
            known.get(a.artifacts.snapshot or ""), known.get(b.artifacts.snapshot or "")
        ),
        candidate_a=a.candidate,
        candidate_b=b.candidate,
        split=found.get("split"),
        common=found.get("common"),
        overall=found.get("overall"),
        classes=found.get("classes", {}),
        problem=problem,
    )


def _snapshots(a: RunRecord, b: RunRecord) -> tuple[SideBySide, ...]:
    """The ids by step, of the steps that either run has."""
    left, right = a.artifacts.snapshots, b.artifacts.snapshots
    return tuple(
        SideBySide(name=step, a=left.get(step), b=right.get(step))
        for step in STEPS
        if step in left or step in right
    )


def _snapshot_infos(store: ArtifactStore, *runs: RunRecord) -> dict[str, dict[str, Any]]:
    ids = {run.artifacts.snapshot for run in runs if run.artifacts.snapshot}
    known, _ = infos(store, SnapshotRef, sorted(ids))
    return known


def _counts(a: dict[str, Any] | None, b: dict[str, Any] | None) -> tuple[SideBySide, ...]:
    classes = [name for info in (a, b) if info for name in ClassList.from_info(info).names]
    a, b = a or {}, b or {}
    rows = [SideBySide(name=name, a=a.get(key), b=b.get(key)) for name, key in _COUNTS.items()]
    for group, names in (("split_counts", SPLITS), ("kept_class_counts", dict.fromkeys(classes))):
        left, right = a.get(group, {}), b.get(group, {})
        rows += [SideBySide(name=name, a=left.get(name), b=right.get(name)) for name in names]
    return tuple(row for row in rows if row.a is not None or row.b is not None)


@dataclass(frozen=True)
class _Side:
    """The candidate of a run with its snapshot and predictions."""

    snapshot: DatasetSnapshot
    predictions: dict[str, Predictions]


def _compare_candidates(
    store: ArtifactStore, a: RunRecord, b: RunRecord, split: Split | None
) -> dict[str, Any]:
    """The fields of the comparison that need both candidates."""
    side_a, side_b = _side(store, a), _side(store, b)
    side_a.snapshot.classes.require_same(side_b.snapshot.classes, "A", "B")
    splits: tuple[Split, ...] = (split,) if split else ("test", "validation")
    for name in splits:
        common = common_images(side_a.snapshot, side_b.snapshot, name)
        if len(common.rows_a):
            return {"split": name, **_measured(side_a, side_b, name, common)}
    raise DataError(
        f"the runs have no image with the same label in common in {' or '.join(splits)}: their "
        "accuracies are of different images and can't be compared"
    )


def _side(store: ArtifactStore, run: RunRecord) -> _Side:
    snapshot_id = run.artifacts.snapshot
    if run.candidate is None or snapshot_id is None:
        raise DataError(f"run {run.id} has no evaluated candidate ({run.state})")
    snapshot = open_snapshot(store, store.ref(SnapshotRef, snapshot_id))
    model = model_ref(store, run.candidate)
    return _Side(snapshot, read_predictions(store, snapshot, model))


def _measured(a: _Side, b: _Side, split: Split, common: CommonImages) -> dict[str, Any]:
    correct_a = a.predictions[split].correct[common.rows_a]
    correct_b = b.predictions[split].correct[common.rows_b]
    labels = a.predictions[split].labels[common.rows_a]
    return {
        "common": CommonSet(
            same_snapshot=a.snapshot.ref.id == b.snapshot.ref.id,
            n=len(labels),
            by_id=common.by_id,
            by_pixels=common.by_pixels,
            relabelled=common.relabelled,
            only_a=common.only_a,
            only_b=common.only_b,
        ),
        "overall": paired_difference(correct_a, correct_b),
        "classes": class_differences(correct_a, correct_b, labels, a.snapshot.classes.names),
    }
