"""People's decisions about chosen faces become labels in the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fer_models.classes.class_list import ClassList
from fer_models.errors import DataError
from fer_models.labelled.faces import LABEL_DTYPES
from fer_models.labelled.versions import publish_labels
from fer_models.review.decisions_file import DROP, KEEP, RELABEL, RESET, read_decisions
from fer_models.selection.choose import ID_LENGTH
from fer_models.selection.label_studio.annotations import is_label_studio, read_annotations
from fer_models.selection.stored import open_chosen
from fer_models.storage.refs import LabelledRef, SelectionRef
from fer_models.storage.store import ArtifactStore

_MAX_SHOWN = 50


@dataclass(frozen=True)
class AppliedLabels:
    """The version in force after decisions were applied, and what they were."""

    version: LabelledRef | None
    labelled: int
    not_a_face: int
    withdrawn: int
    notes: tuple[str, ...] = ()
    """Answers that were not applied, such as contradicting ones."""


@dataclass(frozen=True)
class _Chosen:
    """A stored selection, by face."""

    id: str
    model: str
    classes: ClassList
    faces: Mapping[str, Mapping[str, str]]


def apply_labels(store: ArtifactStore, path: Path) -> AppliedLabels:
    """Read decisions about chosen faces, and publish them as labels.

    Args:
        store: holds the selections, and receives the version of the labels.
        path: a decisions file of the page, or a JSON export of Label Studio.

    Raises:
        DataError: the file can't be read, or has decisions that don't fit; lists all of them, and
            nothing is published.
        StoreError: a selection is damaged, or the store can't be written.

    Example:
        applied = apply_labels(store, Path("decisions-0a1b2c3d4e5f.csv"))
        applied.labelled, applied.not_a_face
    """
    notes: tuple[str, ...] = ()
    if is_label_studio(path):
        answers = read_annotations(path)
        table, notes = answers.decisions, answers.notes
    else:
        table = read_decisions(path)
    labels, withdrawn = _checked(store, table, str(path))
    version = publish_labels(store, labels, withdrawn)
    is_face = labels["label"] != ""
    return AppliedLabels(version, int(is_face.sum()), int((~is_face).sum()), len(withdrawn), notes)


def _checked(
    store: ArtifactStore, table: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, frozenset[str]]:
    """The decisions as labels, and the faces whose labels are withdrawn."""
    decided: list[dict[str, str]] = [
        {str(key): str(value) for key, value in row.items()} for row in table.to_dict("records")
    ]
    selections = _selections(store, {_beginning(cells) for cells in decided})
    rows: list[dict[str, object]] = []
    problems: list[str] = []
    withdrawn = set()
    for cells in decided:
        chosen = selections.get(_beginning(cells))
        problem = _problem(cells, chosen)
        if problem:
            problems.append(f"{cells['image_id']}: {problem}")
        elif cells["action"] == RESET:
            withdrawn.add(cells["image_id"])
        else:
            assert chosen is not None
            rows.append(_row(cells, chosen))
    if problems:
        shown = problems[:_MAX_SHOWN]
        if len(problems) > _MAX_SHOWN:
            shown.append(f"... and {len(problems) - _MAX_SHOWN} more")
        raise DataError(f"{name}: decisions that don't fit the faces of this store", shown)
    labels = pd.DataFrame(rows, columns=list(LABEL_DTYPES)).astype(LABEL_DTYPES)
    return labels, frozenset(withdrawn)


def _beginning(cells: Mapping[str, str]) -> str:
    return cells["image_id"].partition("/")[0]


def _selections(store: ArtifactStore, beginnings: set[str]) -> dict[str, _Chosen]:
    """The selections whose ids begin so."""
    found = {}
    for selection_id in store.list_ids(SelectionRef):
        if selection_id[:ID_LENGTH] in beginnings:
            ref = store.ref(SelectionRef, selection_id, page_url="")
            info = store.info(ref)
            table = open_chosen(store, ref)
            faces = {
                str(row["face_id"]): {"path": row["path"], "pixel_sha256": row["pixel_sha256"]}
                for row in table[["face_id", "path", "pixel_sha256"]].to_dict("records")
            }
            classes = ClassList.named(info["classes"])
            found[selection_id[:ID_LENGTH]] = _Chosen(selection_id, info["model"], classes, faces)
    return found


def _problem(cells: Mapping[str, str], chosen: _Chosen | None) -> str:
    """Why a decision can't be applied; "" if it can."""
    image_id, sha, label = cells["image_id"], cells["pixel_sha256"], cells["label"]
    if chosen is None:
        return (
            "expected a face of a selection in this store; check --store, and apply decisions "
            "about images of a data set with `ferflow task clean --decisions FILE`"
        )
    if image_id not in chosen.faces:
        return f"the selection {chosen.id} has no such face"
    if sha and sha != chosen.faces[image_id]["pixel_sha256"]:
        return "the face has other pixels; write the page again"
    if cells["action"] == KEEP:
        return f"expected {RELABEL} with a label, {DROP} or {RESET}: there is no label to keep"
    if label:
        try:
            chosen.classes.number(label)
        except DataError as error:
            return error.message
    return ""


def _row(cells: Mapping[str, str], chosen: _Chosen) -> dict[str, object]:
    face = chosen.faces[cells["image_id"]]
    label = ""
    if cells["action"] == RELABEL:
        label = chosen.classes.names[chosen.classes.number(cells["label"])]
    return {
        "number": 0,
        "face_id": cells["image_id"],
        "pixel_sha256": face["pixel_sha256"],
        "label": label,
        "note": cells["note"],
        "path": face["path"],
        "selection": chosen.id,
        "model": chosen.model,
    }
