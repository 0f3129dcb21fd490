"""Ingest: read the sources into the first snapshot, and compute their fingerprint.

N images. All sources are read and checked before anything is written, and all problems are
reported together.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from fer_models.classes.described import label_lines
from fer_models.classes.mapping import ClassMapping, map_classes
from fer_models.dataset.columns import COLUMNS_TABLE, IMAGE_ID
from fer_models.dataset.image_format import THUMBNAIL
from fer_models.dataset.snapshot import (
    CHOSEN_FIT,
    KEPT,
    MANIFEST_DTYPES,
    NO_VOTE,
    QUARANTINED,
    Images,
    first_of_group,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import DataError
from fer_models.ingest.collection import older_objects_frozen
from fer_models.ingest.config import DataConfig
from fer_models.ingest.content_hash import content_hash
from fer_models.ingest.findings import raise_if_bad
from fer_models.ingest.image_buffer import joined
from fer_models.ingest.labelled import provenance, read_labelled
from fer_models.ingest.locate import locate_sources
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.ingest.source_table import USER_COLUMN, SourceTable
from fer_models.labels import UNLABELLED, VOTE_COLUMNS
from fer_models.progress import report
from fer_models.storage.backend import Buffers
from fer_models.storage.refs import LabelledRef, SnapshotRef
from fer_models.storage.store import ArtifactStore

TRUTH = "truth"
REJECTED = "rejected"
LABELLED = "labelled"
DROPPED_CLASS = "dropped_class"
"""Quarantine reason of an image whose label `data.classes` or the numbering leaves out."""


@older_objects_frozen()
def ingest_sources(
    store: ArtifactStore, config: DataConfig, seed: int, labelled: LabelledRef | None = None
) -> SnapshotRef:
    """Read all sources, concatenate them in order, and write them as a snapshot.

    Example:
        store = ArtifactStore(StoreConfig(url="artifacts"))
        snapshot = ingest_sources(store, DataConfig(sources=("fer2013.csv",)), seed=0)
        images = open_snapshot(store, snapshot).images

    Args:
        store: destination.
        config: the sources. With `quarantine_bad_rows`, images whose label, split or votes can't
            be read are kept with status `quarantined`, and rows without a usable image are listed
            in the table `rejected` (columns source, row, path, problem).
        seed: of the synthetic faces; other sources do not depend on it.
        labelled: faces that people have labelled; they follow the sources, as training images. A
            label that is none of the classes is quarantined.

    Returns:
        The snapshot; it has the table `truth` if `synthetic` is among the sources, and `labelled`
        (image_id, face_id, selection, model, note) if there are labelled faces.

    Raises:
        DataError: the sources have problems, all of which are listed; nothing was written.
        StoreError: the store can't be written.
    """
    read = read_sources(config, seed, store.local_root if store.is_local else None)
    image_format = read[0].image_format
    mapping = map_classes(_found_names(read), config.classes)
    added = None if labelled is None else read_labelled(store, labelled, image_format)
    read += [] if added is None else [added]
    images = joined([one.table.images for one in read if one.table is not None], image_format)
    report("ingest", 0, len(images), "images", "finding exact copies")
    manifest = _manifest(read, images, mapping)
    thumbnails = _thumbnails(read)
    tables = {TRUTH: _truth(read), REJECTED: _rejected(read)}
    if added is not None and labelled is not None:
        tables[LABELLED] = provenance(store, labelled)
    tables[COLUMNS_TABLE] = _user_columns(read, config.slice_columns)
    tables = {name: table for name, table in tables.items() if len(table)}
    report("ingest", len(images), len(images), "images", "writing the snapshot")
    info: dict[str, Any] = {
        "sources": [one.source.name for one in read],
        "rejected": len(tables.get(REJECTED, ())),
        "label_sources": _label_sources(read, mapping),
    }
    if labelled is not None:
        info["labelled_version"] = labelled.version
        info["labelled_faces"] = len(tables.get(LABELLED, ()))
    for line in label_lines({**info, "classes": mapping.classes.info()}):
        report("ingest", len(images), len(images), "images", line)
    if not image_format.is_plain:
        info["image_format"] = asdict(image_format)
    if config.fit or config.image_size_px:  # a size implies to crop, also where all are square
        info[CHOSEN_FIT] = image_format.fit
    return write_snapshot(
        store,
        manifest,
        images,
        "ingest",
        tables=tables,
        info=info,
        classes=mapping.classes,
        thumbnails=thumbnails,
        pixel_files=_pixel_files(read, images),
    )


def fingerprint_sources(config: DataConfig, seed: int) -> str:
    """Hash everything that `ingest_sources` depends on, without decoding any image.

    The hash of a file is reused within the process while the file is unchanged.

    Example:
        key = fingerprint_sources(DataConfig(sources=("fer2013.csv",)), seed=0)

    Args:
        config: the sources; settings count only if they apply to these sources.
        seed: counts only if `synthetic` is among the sources.

    Returns:
        Hex sha256, independent of the machine and of the folders that contain the sources.

    Raises:
        DataError: a source can't be found or read. All sources are then read and checked, so
            that every problem is listed, as by `ingest_sources`.
    """
    located = locate_sources(config.sources)
    fingerprint = content_hash(located, config, seed)
    findings = [found for _, found in located]
    if any(found.faults for found in findings):
        read_sources(config, seed)
        raise_if_bad(findings, config.quarantine_bad_rows)
    return fingerprint


def _found_names(read: Sequence[ReadSource]) -> Counter[str]:
    """Images by the name of their label, over all sources."""
    found: Counter[str] = Counter()
    for one in read:
        if one.table is not None:
            labels = one.table.fields["label"].to_numpy()
            counts = np.bincount(labels[labels >= 0], minlength=len(one.table.label_names))
            named = zip(one.table.label_names, counts, strict=True)
            found.update({name: int(count) for name, count in named if count})
    return found


def _label_sources(read: Sequence[ReadSource], mapping: ClassMapping) -> list[dict[str, Any]]:
    """What the labels of each source became: its numbering, and the class of each other text."""
    facts = []
    for one in read:
        if one.table is not None and one.table.label_facts:
            stated = one.table.label_facts
            labels = {
                text: found
                for text, name in stated["labels"].items()
                if (found := mapping.class_of.get(name or "")) != text.casefold()
            }
            facts.append(
                {
                    "source": one.source.name,
                    "scheme": stated["scheme"],
                    "labels": labels,
                    "notes": one.findings.notes,
                }
            )
    return facts


def _class_numbers(table: SourceTable, mapping: ClassMapping) -> pd.Series:
    """The class number of each image; UNLABELLED also for a label that is dropped."""
    numbers = []
    for name in table.label_names:
        # A label that a person gave may be a class that no source names, such as a merged one.
        itself = name if name in mapping.classes.names else None
        target = mapping.class_of.get(name, itself)
        numbers.append(UNLABELLED if target is None else mapping.classes.names.index(target))
    # LEFT_OUT and UNLABELLED are negative: positions from the end.
    lookup = np.array([*numbers, UNLABELLED, UNLABELLED], dtype=np.int64)
    return pd.Series(lookup[table.fields["label"].to_numpy(dtype=np.int64)])


def _manifest(read: Sequence[ReadSource], images: Images, mapping: ClassMapping) -> pd.DataFrame:
    parts = [_with_ids(one, one.table, mapping) for one in read if one.table is not None]
    table = pd.concat(parts, ignore_index=True)
    table["pixel_sha256"] = _pixel_sha256(read, images)
    table["duplicate_group"] = first_of_group(table["pixel_sha256"])
    table["status"] = np.where(table["reason"] == "", KEPT, QUARANTINED)
    return table[list(MANIFEST_DTYPES)]


def _pixel_sha256(read: Sequence[ReadSource], images: Images) -> list[str]:
    """Of all images; those that a reader has computed are used."""
    digests: list[str] = []
    for table in [one.table for one in read if one.table is not None]:
        start, end = len(digests), len(digests) + len(table.images)
        digests += table.pixel_sha256 or pixel_sha256(images[start:end])
    return digests


def _thumbnails(read: Sequence[ReadSource]) -> Images | None:
    """Of all images, if the readers have made them."""
    parts = [one.table.thumbnails for one in read if one.table is not None]
    made = [part for part in parts if part is not None]
    return joined(made, THUMBNAIL) if made and len(made) == len(parts) else None


def _pixel_files(read: Sequence[ReadSource], images: Images) -> dict[str, Buffers]:
    """The files of the images, if they were decoded into some and nothing was added to them."""
    tables = [one.table for one in read if one.table is not None]
    files = tables[0].files if len(tables) == 1 else {}
    return {name: file.buffers(len(images)) for name, file in files.items()}


def _with_ids(one: ReadSource, table: SourceTable, mapping: ClassMapping) -> pd.DataFrame:
    fields = table.fields.copy()
    numbers = _class_numbers(table, mapping)
    is_dropped = (fields["label"] != UNLABELLED) & (numbers == UNLABELLED)
    fields.loc[is_dropped & (fields["reason"] == ""), "reason"] = DROPPED_CLASS
    fields["label"] = numbers
    fields["image_id"] = [_image_id(one, row) for row in fields["row"]]
    fields["source"] = one.source.name
    for column in VOTE_COLUMNS:
        if column not in fields:
            fields[column] = NO_VOTE
    return fields


def _image_id(one: ReadSource, row: int) -> str:
    return f"{one.source.stem}/{row:06d}"


def _truth(read: Sequence[ReadSource]) -> pd.DataFrame:
    """The planted defects: image_id, true_label, defect, original_id ("" if not a copy)."""
    parts = [
        pd.DataFrame(
            {
                "image_id": [_image_id(one, row) for row in truth["row"]],
                "true_label": truth["true_label"].astype("int64"),
                "defect": truth["defect"].astype("str"),
                "original_id": [
                    _image_id(one, row) if row >= 0 else "" for row in truth["original_row"]
                ],
            }
        )
        for one in read
        if one.table is not None and (truth := one.table.truth) is not None
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _user_columns(read: Sequence[ReadSource], wanted: Sequence[str]) -> pd.DataFrame:
    """The user columns: image_id and a text for each column, "" where it is unknown.

    Raises:
        DataError: no source has one of the wanted columns.
    """
    parts = []
    for one in read:
        if one.table is not None:
            fields = one.table.fields
            names = [str(name) for name in fields if str(name).startswith(USER_COLUMN)]
            parts.append(fields[names].rename(columns=lambda name: name.removeprefix(USER_COLUMN)))
            parts[-1].insert(0, IMAGE_ID, [_image_id(one, row) for row in fields["row"]])
    table = pd.concat(parts, ignore_index=True).fillna("")
    if absent := [name for name in wanted if name not in table]:
        raise DataError(
            f"data.slice_columns={','.join(absent)}: no source has such a column; it is read from "
            "tables of pixels, parquet tables, and tables beside images whose rows name them: "
            f"add path,{absent[0]} as a csv file to the folder of the images, or leave it out"
        )
    return table if len(table.columns) > 1 else pd.DataFrame()


def _rejected(read: Sequence[ReadSource]) -> pd.DataFrame:
    """Rows without a usable image: source, row, path, problem."""
    rows = [
        (one.source.name, bad.row, bad.path, bad.problem)
        for one in read
        for bad in one.findings.bad_rows
        if not bad.has_image
    ]
    return pd.DataFrame(rows, columns=["source", "row", "path", "problem"])
