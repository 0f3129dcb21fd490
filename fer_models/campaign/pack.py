"""A snapshot as one small file, to take along to a machine that has no store.

A zip with the images (see `codec`; equal ones once), the manifest, other tables and the metadata.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fer_models.campaign.codec import decode, encode
from fer_models.classes.class_list import ClassList
from fer_models.dataset.snapshot import (
    first_of_group,
    open_snapshot,
    open_tables,
    pixel_sha256,
    write_snapshot,
)
from fer_models.errors import DataError
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

_IMAGES = "images.bin"
_FACTS = "facts.json"
_MANIFEST = "manifest.parquet"
_SHA = "pixel_sha256"
_UNIQUE = "unique"


def pack_snapshot(store: ArtifactStore, snapshot: SnapshotRef, file: Path) -> int:
    """Write a snapshot to one file; returns its size in bytes.

    Raises:
        DataError: the images are in colour.
        StoreError: the snapshot is missing or damaged.

    Example:
        pack_snapshot(store, snapshot, Path("faces.pack"))
    """
    opened = open_snapshot(store, snapshot)
    if opened.images.ndim != 3:
        raise DataError(
            f"{snapshot.url}: expected grey images, these are in colour; ingest them with "
            "data.channels=1"
        )
    first = first_of_group(opened.manifest[_SHA])
    unique, number = np.unique(first, return_inverse=True)
    table = opened.manifest.drop(columns=_SHA).assign(**{_UNIQUE: number.astype(np.int32)})
    facts = {
        "id": snapshot.id,
        "step": opened.info["step"],
        "classes": opened.classes.info(),
        "info": {name: value for name, value in opened.info.items() if name != "parent"},
    }
    parts = {
        _FACTS: json_bytes(facts),
        _IMAGES: encode(opened.images[unique]),
        _MANIFEST: _parquet(table),
        **{f"{name}.parquet": _parquet(one) for name, one in open_tables(store, snapshot).items()},
    }
    partial = file.with_name(f".{file.name}.part")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    partial.replace(file)
    return file.stat().st_size


def unpack_snapshot(file: Path, store: ArtifactStore) -> SnapshotRef:
    """Write a packed snapshot to a store, under its own id.

    Raises:
        DataError: the file is missing, damaged or of another kind.
        StoreError: the store can't be written.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        facts = json.loads(parts.pop(_FACTS))
        encoded, table = parts.pop(_IMAGES), pd.read_parquet(io.BytesIO(parts.pop(_MANIFEST)))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file}: expected a snapshot packed by `make campaign-pack` ({error}); pack it again"
        ) from error
    ref = store.ref(SnapshotRef, facts["id"])
    return ref if store.exists(ref) else _written(store, file, facts, encoded, table, parts)


def _written(
    store: ArtifactStore,
    file: Path,
    facts: dict[str, Any],
    encoded: bytes,
    table: pd.DataFrame,
    tables: dict[str, bytes],
) -> SnapshotRef:
    unique = decode(encoded)
    number = table[_UNIQUE].to_numpy()
    shas = np.array(pixel_sha256(unique))[number]
    written = write_snapshot(
        store,
        table.drop(columns=_UNIQUE).assign(**{_SHA: shas}),
        unique[number],
        facts["step"],
        tables={
            name.removesuffix(".parquet"): pd.read_parquet(io.BytesIO(content))
            for name, content in tables.items()
        },
        info=facts["info"],
        classes=ClassList.from_info({"classes": facts["classes"]}),
    )
    if written.id != facts["id"]:
        raise DataError(
            f"{file}: expected the snapshot {facts['id'][:12]}, got {written.id[:12]}; the file is "
            "damaged, or of another version of ferflow; pack it again"
        )
    return written


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
