"""Ingest: read the sources into the first snapshot, and compute their fingerprint.

N images. All sources are read and checked before anything is written, and all problems are
reported together.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from fer_models.classes.described import label_lines
from fer_models.classes.mapping import ClassMapping, map_classes
from fer_models.dataset.snapshot import (
    KEPT,
    MANIFEST_DTYPES,
    NO_VOTE,
    QUARANTINED,
    Images,
    first_of_group,
    pixel_sha256,
    write_snapshot,
)
from fer_models.ingest.config import DataConfig, TableConfig
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.files.stat_cache import StatCache
from fer_models.ingest.findings import Findings, raise_if_bad
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.image_folder import listed_images
from fer_models.ingest.layouts.recognise import external_table
from fer_models.ingest.locate import Source, locate_sources
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import UNLABELLED, VOTE_COLUMNS
from fer_models.progress import report
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore, sha256_of_file

TRUTH = "truth"
REJECTED = "rejected"
DROPPED_CLASS = "dropped_class"
"""Quarantine reason of an image whose label `data.classes` or the numbering leaves out."""

# Increase the number if the same sources must result in another snapshot.
_FINGERPRINT_FORMAT = b"ferflow-sources-1\n"
_REPORT_EVERY_FILES = 1000
# FER2013 has 35,887 images; larger folders than this are hashed again each time.
_digests = StatCache[str](max_entries=100_000)


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


def ingest_sources(store: ArtifactStore, config: DataConfig, seed: int) -> SnapshotRef:
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

    Returns:
        The snapshot; it has the table `truth` if `synthetic` is among the sources.

    Raises:
        DataError: the sources have problems, all of which are listed; nothing was written.
        StoreError: the store can't be written.
    """
    read = read_sources(config, seed)
    images = np.concatenate([one.table.images for one in read if one.table is not None])
    report("ingest", 0, len(images), "images", "finding exact copies")
    mapping = map_classes(_found_names(read), config.classes)
    manifest = _manifest(read, images, mapping)
    tables = {TRUTH: _truth(read), REJECTED: _rejected(read)}
    tables = {name: table for name, table in tables.items() if len(table)}
    report("ingest", len(images), len(images), "images", "writing the snapshot")
    info: dict[str, Any] = {
        "sources": [one.source.name for one in read],
        "rejected": len(tables.get(REJECTED, ())),
        "label_sources": _label_sources(read, mapping),
    }
    for line in label_lines({**info, "classes": mapping.classes.info()}):
        report("ingest", len(images), len(images), "images", line)
    return write_snapshot(
        store, manifest, images, "ingest", tables=tables, info=info, classes=mapping.classes
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
    fingerprint = _fingerprint(located, config, seed)
    findings = [found for _, found in located]
    if any(found.faults for found in findings):
        read_sources(config, seed)
        raise_if_bad(findings, config.quarantine_bad_rows)
    return fingerprint


# -- snapshot ------------------------------------------------------------------------------------


def _found_names(read: Sequence[ReadSource]) -> Counter[str]:
    """Images by the name of their label, over all sources."""
    found: Counter[str] = Counter()
    for one in read:
        if one.table is not None:
            labels = one.table.fields["label"].to_numpy()
            counts = np.bincount(labels[labels >= 0], minlength=len(one.table.label_names))
            found.update(
                {
                    name: int(count)
                    for name, count in zip(one.table.label_names, counts, strict=True)
                    if count
                }
            )
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
        target = mapping.class_of.get(name)
        numbers.append(UNLABELLED if target is None else mapping.classes.names.index(target))
    # LEFT_OUT and UNLABELLED are negative: positions from the end.
    lookup = np.array([*numbers, UNLABELLED, UNLABELLED], dtype=np.int64)
    return pd.Series(lookup[table.fields["label"].to_numpy(dtype=np.int64)])


def _manifest(read: Sequence[ReadSource], images: Images, mapping: ClassMapping) -> pd.DataFrame:
    parts = [_with_ids(one, one.table, mapping) for one in read if one.table is not None]
    table = pd.concat(parts, ignore_index=True)
    table["pixel_sha256"] = pixel_sha256(images)
    table["duplicate_group"] = first_of_group(table["pixel_sha256"])
    table["status"] = np.where(table["reason"] == "", KEPT, QUARANTINED)
    return table[list(MANIFEST_DTYPES)]


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


def _rejected(read: Sequence[ReadSource]) -> pd.DataFrame:
    """Rows without a usable image: source, row, path, problem."""
    rows = [
        (one.source.name, bad.row, bad.path, bad.problem)
        for one in read
        for bad in one.findings.bad_rows
        if not bad.has_image
    ]
    return pd.DataFrame(rows, columns=["source", "row", "path", "problem"])


# -- fingerprint ---------------------------------------------------------------------------------


def _fingerprint(located: Sequence[tuple[Source, Findings]], config: DataConfig, seed: int) -> str:
    """Hash names and contents of the sources, in order; read errors become faults."""
    digest = hashlib.sha256(_FINGERPRINT_FORMAT + str(config.quarantine_bad_rows).encode())
    _add_settings(digest, config)
    settings = LabelSettings(config.label_scheme, config.classes, config.table)
    for source, findings in located:
        digest.update(f"\n{source.kind}\0{source.name}\0{source.stem}\0".encode())
        if source.kind is SourceKind.SYNTHETIC:
            digest.update(f"{seed}\0{config.synthetic.model_dump_json()}".encode())
        elif source.kind is SourceKind.FOLDER:
            _add_files(digest, source, source.path, list_files(source.path, findings))
        elif source.kind is SourceKind.IMAGE_LIST:
            _add_file(digest, source.path, findings)
            listed = listed_images(source.path, settings)
            _add_files(digest, source, source.path.absolute().parent, listed)
        elif source.kind is not None:
            _add_file(digest, source.path, findings)
    return digest.hexdigest()


def _add_settings(digest: _Digest, config: DataConfig) -> None:
    if config.table != TableConfig():
        # Of a table outside the sources the content counts, not the folder that contains it.
        table = external_table(config.table.path)
        named = config.table.model_copy(update={"path": table.name}) if table else config.table
        digest.update(named.model_dump_json().encode() + (_content(table) if table else b""))
    if config.classes is not None or config.label_scheme:
        digest.update(repr((config.classes, config.label_scheme)).encode())


def _add_file(digest: _Digest, path: Path, findings: Findings) -> None:
    try:
        digest.update(_sha256(path).encode())
    except OSError as error:
        findings.add_fault(f"can't be read ({error.strerror or error})")


def _add_files(digest: _Digest, source: Source, folder: Path, files: Sequence[str]) -> None:
    for done, relative in enumerate(files):
        digest.update(relative.encode("utf-8", errors="surrogateescape") + b"\0")
        digest.update(_content(folder / relative))
        if done % _REPORT_EVERY_FILES == 0:
            report("ingest", done, len(files), "files", f"fingerprint of {source.name}")


def _content(path: Path) -> bytes:
    try:
        if path.is_file():  # opening a pipe would block
            return _sha256(path).encode()
    except OSError:
        pass
    # Ingest rejects or quarantines the file, so that it can't be read is part of the content.
    return b"unreadable"


def _sha256(path: Path) -> str:
    return _digests.get(path, lambda: sha256_of_file(path))
