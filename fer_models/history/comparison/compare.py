"""Compare two runs: their settings, their data, and their candidates on the same images."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import SPLITS
from fer_models.errors import DataError, FerError
from fer_models.history.comparison.models import SPLITS as MODEL_SPLITS
from fer_models.history.comparison.models import (
    CommonSet,
    Side,
    Split,
    SplitComparison,
    compare_sides,
    no_common_images,
    open_side,
)
from fer_models.history.comparison.paired import PairedDifference
from fer_models.history.reading import infos
from fer_models.history.record import RunRecord
from fer_models.history.settings import SettingChange, setting_changes
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

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
    unknown: tuple[str, ...]
    """Sentences about training images that are not known, and may be among those compared."""
    problem: str
    """Why the candidates can't be compared; empty if they can."""


def compare_runs(
    store: ArtifactStore, a: RunRecord, b: RunRecord, split: Split | None = None
) -> RunComparison:
    """Compare two runs of a store.

    The candidates are compared on the images that both runs have in the split, with the same label,
    by the probabilities that were stored with them. Images that either was trained on, or a near
    copy of them, are left out, unless both were trained on the same images.

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
    found, problem = None, ""
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
        split=found.split if found else None,
        common=found.common if found else None,
        overall=found.overall if found else None,
        classes=found.classes if found else {},
        unknown=found.unknown if found else (),
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


def _compare_candidates(
    store: ArtifactStore, a: RunRecord, b: RunRecord, split: Split | None
) -> SplitComparison:
    side_a, side_b = _side(store, a), _side(store, b)
    side_a.snapshot.classes.require_same(side_b.snapshot.classes, "A", "B")
    splits = (split,) if split else MODEL_SPLITS
    for name in splits:
        found = compare_sides(side_a, side_b, name)
        if found is not None:
            return found
    raise DataError(no_common_images("runs", splits))


def _side(store: ArtifactStore, run: RunRecord) -> Side:
    snapshot_id = run.artifacts.snapshot
    if run.candidate is None or snapshot_id is None:
        raise DataError(f"run {run.id} has no evaluated candidate ({run.state})")
    return open_side(store, run.candidate, snapshot_id)
