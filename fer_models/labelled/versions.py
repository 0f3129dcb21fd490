"""Stored versions of the labels that people gave to unlabelled faces; the last one is in force.

A version is an artifact `labelled/<id>/` with all labels after the change, and with the images,
which it shares with the selections that the faces come from. Its number is that of its entry in
the append-only log `labelled/log/`.
"""

import hashlib

import pandas as pd

from fer_models.labelled.faces import (
    FACES_FILE,
    LABEL_DTYPES,
    LABELS_FILE,
    empty_labels,
    linked_name,
    parquet_bytes,
)
from fer_models.storage.json_bytes import json_key
from fer_models.storage.log import EntryLog, LogEntry, LostRaceError
from fer_models.storage.refs import LabelledRef, SelectionRef
from fer_models.storage.store import ArtifactStore

_LOG = f"{LabelledRef.folder}/log"
_ATTEMPTS = 5
_NEXT_NUMBER = "next_number"
_KEYS = ["face_id", "pixel_sha256", "label", "note"]


class LabelledEntry(LogEntry):
    """One version."""

    labelled_id: str
    num_faces: int
    """Labelled with a class."""
    num_not_a_face: int
    added: int
    changed: int
    withdrawn: int


def publish_labels(
    store: ArtifactStore, labels: pd.DataFrame, withdrawn: frozenset[str] = frozenset()
) -> LabelledRef | None:
    """Merge labels into those in force and return the version in force afterwards.

    A label replaces an earlier one of the same face. Labels that change nothing make no version.

    Args:
        store: holds the selections, and receives the version.
        labels: columns of `LABEL_DTYPES`, whose `number` is ignored.
        withdrawn: ids of faces whose labels are removed.

    Returns:
        None if there is no label now, and there was none before.

    Raises:
        StoreError: a selection is missing, or the store can't be written.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _publish(store, labels, withdrawn)
        except LostRaceError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def current_labels(store: ArtifactStore) -> LabelledRef | None:
    """The version in force; None before the first label."""
    log = _log(store)
    keys = log.entry_keys()
    return _ref(store, log.read(keys[-1])) if keys else None


def labels_history(store: ArtifactStore) -> list[LabelledEntry]:
    """All versions, oldest first."""
    return _log(store).entries()


def open_labels(store: ArtifactStore, ref: LabelledRef) -> pd.DataFrame:
    """The labels of a version, by number; columns and types are `LABEL_DTYPES`.

    Raises:
        StoreError: the version is missing or damaged.
    """
    table = pd.read_parquet(store.fetch(ref, LABELS_FILE))
    return table.astype(LABEL_DTYPES)


def open_images(store: ArtifactStore, ref: LabelledRef, face_ids: list[str]) -> list[bytes]:
    """The image files of faces of a version, in that order.

    Raises:
        StoreError: the version is missing or damaged.
    """
    names = [name for name in store.describe(ref).files if name != LABELS_FILE]
    images: dict[str, bytes] = {}
    for name in names:
        table = pd.read_parquet(store.fetch(ref, name))
        images |= dict(zip(table["face_id"], table["image"], strict=True))
    return [images[face_id] for face_id in face_ids]


def _publish(
    store: ArtifactStore, labels: pd.DataFrame, withdrawn: frozenset[str]
) -> LabelledRef | None:
    log = _log(store)
    keys = log.entry_keys()
    current = _ref(store, log.read(keys[-1])) if keys else None
    before = open_labels(store, current) if current else empty_labels()
    following = _next_number(store, current, before)
    after = _merged(before, labels, withdrawn, following)
    if after[_KEYS].equals(before[_KEYS]):
        return current
    content = json_key(after.to_dict(orient="list"))
    digest = hashlib.sha256(f"{len(keys)} {content}".encode()).hexdigest()[:24]
    is_face = after["label"] != ""
    facts = {"num_faces": int(is_face.sum()), "num_not_a_face": int((~is_face).sum())}
    version = len(keys) + 1
    selections = sorted(set(after["selection"]))
    linked = {
        linked_name(one): store.describe(_selection(store, one)).files[FACES_FILE]
        for one in selections
    }
    files = {LABELS_FILE: parquet_bytes(after)}
    info = {
        **facts,
        "selections": selections,
        _NEXT_NUMBER: max(following, int(after["number"].max()) + 1 if len(after) else 0),
    }
    store.put(LabelledRef, digest, files, info, linked=linked, version=version)

    def entry(number: int) -> LabelledEntry:
        return LabelledEntry(number=number, labelled_id=digest, **facts, **_changes(before, after))

    return _ref(store, log.append(entry, keys[-1] if keys else None, "publish the labels again"))


def _next_number(store: ArtifactStore, current: LabelledRef | None, before: pd.DataFrame) -> int:
    """A number that no face of any version has: also not one whose label was withdrawn."""
    if current is None:
        return 0
    highest = int(before["number"].max()) if len(before) else -1
    return int(store.info(current).get(_NEXT_NUMBER, highest + 1))


def _merged(
    before: pd.DataFrame, labels: pd.DataFrame, withdrawn: frozenset[str], following: int
) -> pd.DataFrame:
    """Labels after merging; a face keeps its number, new ones are numbered from `following`."""
    number_of = dict(zip(before["face_id"], before["number"], strict=True))
    numbers = []
    for face_id in labels["face_id"]:
        numbers.append(number_of.get(face_id, following))
        following += face_id not in number_of
    replaced = withdrawn | set(labels["face_id"])
    remains = before[~before["face_id"].isin(replaced)]
    added = labels.assign(number=numbers)[~labels["face_id"].isin(withdrawn)]
    merged = pd.concat([remains, added], ignore_index=True)[list(LABEL_DTYPES)]
    ordered = merged.astype(LABEL_DTYPES).sort_values("number", kind="stable")
    return ordered.reset_index(drop=True)


def _changes(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, int]:
    old, new = (
        dict(zip(table["face_id"], table[["label", "note"]].to_numpy().tolist(), strict=True))
        for table in (before, after)
    )
    return {
        "added": len(new.keys() - old.keys()),
        "changed": sum(old[key] != new[key] for key in old.keys() & new.keys()),
        "withdrawn": len(old.keys() - new.keys()),
    }


def _selection(store: ArtifactStore, selection_id: str) -> SelectionRef:
    return store.ref(SelectionRef, selection_id, page_url="")


def _log(store: ArtifactStore) -> EntryLog[LabelledEntry]:
    return EntryLog(store, _LOG, LabelledEntry, "labelled")


def _ref(store: ArtifactStore, entry: LabelledEntry) -> LabelledRef:
    return store.ref(LabelledRef, entry.labelled_id, version=entry.number)
