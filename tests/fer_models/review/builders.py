"""A hand-made cleaned snapshot with its table of cleaning decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import KEPT, QUARANTINED, write_snapshot
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore
from tests.fer_models.cleaning.snapshots import Face, manifest_of, picture, snapshot_of


@dataclass(frozen=True)
class Case:
    """One image and its result of cleaning; `copy_of` is the number of another case."""

    label: int = 0
    reason: str = ""
    split: str = "train"
    score: float = 1.0
    hint: int = -1
    copy_of: int = -1
    relabelled: int = -1
    path: str = ""
    votes: Mapping[str, int] = field(default_factory=dict)


# Quarantined images of each kind (worst not first), then automatic removals, then kept images.
CASES = (
    Case(0, "label_error", score=0.10, hint=6, votes={"neutral": 8, "anger": 2}),
    Case(0, "label_error", score=0.01, hint=6, votes={"neutral": 10}),
    Case(3, "label_error", score=0.02, hint=5),
    Case(2, "not_a_face", path="</script><img src=x onerror=alert(1)>.png"),
    Case(4, "near_duplicate", copy_of=9),
    Case(1, "conflicting_label", hint=4, copy_of=9),
    Case(5, "blank"),
    Case(3, "leak", copy_of=12),
    Case(4, "exact_duplicate", copy_of=9),
    Case(4, score=0.5),
    Case(5, score=0.2, hint=2),
    Case(6, split="validation"),
    Case(3, split="test"),
)


def cleaned_snapshot(store: ArtifactStore, cases: Sequence[Case] = CASES) -> SnapshotRef:
    """A snapshot as written by cleaning, with a raw parent."""
    faces = [
        Face(case.split, case.label, number, case.votes, case.reason)
        for number, case in enumerate(cases)
    ]
    images = np.stack([picture(face.picture) for face in faces])
    raw = [Face(face.split, face.label, face.picture, face.votes) for face in faces]
    parent = snapshot_of(store, raw, images)
    manifest = manifest_of(faces, images)
    manifest["path"] = [case.path for case in cases]
    manifest["label"] = [max(case.label, case.relabelled) for case in cases]
    manifest["status"] = [QUARANTINED if is_quarantined(case) else KEPT for case in cases]
    tables = {"decisions": cleaning_table(manifest, cases)}
    return write_snapshot(store, manifest, images, "clean", parent=parent, tables=tables)


def is_quarantined(case: Case) -> bool:
    return bool(case.reason) and case.relabelled < 0


def cleaning_table(manifest: pd.DataFrame, cases: Sequence[Case]) -> pd.DataFrame:
    """The table `decisions` with the columns of cleaning."""
    ids = manifest["image_id"].tolist()
    table = manifest[["image_id", "source", "row", "split", "label"]].copy()
    table["label"] = [case.label for case in cases]
    table["action"] = [
        "quarantine" if is_quarantined(case) else "relabel" if case.reason else "keep"
        for case in cases
    ]
    table["reason"] = [case.reason for case in cases]
    table["score"] = [case.score for case in cases]
    table["evidence"] = [case.score if case.reason else 1.0 for case in cases]
    table["suggested_label"] = [case.hint for case in cases]
    table["related_id"] = [ids[case.copy_of] if case.copy_of >= 0 else "" for case in cases]
    scored = [case.score < 1 for case in cases]
    table["probability"] = np.where(scored, [case.score for case in cases], np.nan)
    table["suggested_probability"] = np.where(scored, 0.8, np.nan)
    return table
