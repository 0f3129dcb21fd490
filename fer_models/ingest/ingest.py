"""Ingest: from the sources that the user named to the first snapshot, and their fingerprint.

N images. Everything is read and checked before anything is written, and everything that is wrong
is told at once.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
from fer_models.ingest.config import DataConfig
from fer_models.ingest.findings import raise_if_bad
from fer_models.ingest.fingerprint import fingerprint_located
from fer_models.ingest.locate import locate_sources
from fer_models.ingest.read import ReadSource, read_sources
from fer_models.ingest.source_table import SourceTable
from fer_models.labels import VOTE_COLUMNS
from fer_models.progress import report
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

TRUTH = "truth"
REJECTED = "rejected"


def ingest_sources(store: ArtifactStore, config: DataConfig, seed: int) -> SnapshotRef:
    """Read all sources of `config`, join them in order, and write them as a snapshot.

    Args:
        store: where the snapshot goes.
        config: the sources. With `quarantine_bad_rows`, images whose label, split or votes can't
            be read are kept with status `quarantined`, and rows without a usable image are listed
            in the table `rejected` (columns source, row, path, problem).
        seed: of the synthetic faces; other sources don't depend on it.

    Returns:
        The snapshot, with the table `truth` when the sources name `synthetic`.

    Raises:
        DataError: listing everything that is wrong with the sources; nothing was written.
    """
    read = read_sources(config, seed)
    images = np.concatenate([one.table.images for one in read if one.table is not None])
    report("ingest", 0, len(images), "images", "looking for exact copies")
    manifest = _manifest(read, images)
    tables = {TRUTH: _truth(read), REJECTED: _rejected(read)}
    tables = {name: table for name, table in tables.items() if len(table)}
    report("ingest", len(images), len(images), "images", "writing the snapshot")
    info = {
        "sources": [one.source.name for one in read],
        "rejected": len(tables.get(REJECTED, ())),
    }
    return write_snapshot(store, manifest, images, "ingest", tables=tables, info=info)


def fingerprint_sources(config: DataConfig, seed: int) -> str:
    """Hash everything that `ingest_sources` depends on, without decoding any image.

    Args:
        config: the sources; of the settings only those that matter for them count.
        seed: counts only when the sources name `synthetic`.

    Returns:
        Hex sha256; the same on every machine and wherever the sources lie.

    Raises:
        DataError: a source can't be found or read. Then all sources are read and checked, so
            that the message lists everything, as that of `ingest_sources` does.
    """
    located = locate_sources(config.sources)
    fingerprint = fingerprint_located(located, config, seed)
    findings = [found for _, found in located]
    if any(found.faults for found in findings):
        read_sources(config, seed)
        raise_if_bad(findings, config.quarantine_bad_rows)
    return fingerprint


def _manifest(read: Sequence[ReadSource], images: Images) -> pd.DataFrame:
    parts = [_with_ids(one, one.table) for one in read if one.table is not None]
    table = pd.concat(parts, ignore_index=True)
    table["pixel_sha256"] = pixel_sha256(images)
    table["duplicate_group"] = first_of_group(table["pixel_sha256"])
    table["status"] = np.where(table["reason"] == "", KEPT, QUARANTINED)
    return table[list(MANIFEST_DTYPES)]


def _with_ids(one: ReadSource, table: SourceTable) -> pd.DataFrame:
    fields = table.fields.copy()
    fields["image_id"] = [_image_id(one, row) for row in fields["row"]]
    fields["source"] = one.source.name
    for column in VOTE_COLUMNS:
        if column not in fields:
            fields[column] = NO_VOTE
    return fields


def _image_id(one: ReadSource, row: int) -> str:
    return f"{one.source.stem}/{row:06d}"


def _truth(read: Sequence[ReadSource]) -> pd.DataFrame:
    """What the generator planted: image_id, true_label, defect, original_id ("" where none)."""
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
