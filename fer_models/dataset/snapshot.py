"""Dataset snapshots: immutable, content-addressed tables of labelled face images.

N images. `images` is uint8 N x S x S, or N x S x S x 3 in colour; row i of the manifest describes
image i. Same content, same id, on every machine: the id hashes the manifest's values and the
pixels, not file bytes, which depend on library versions.
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fer_models.classes.class_list import FER2013_CLASSES, ClassList
from fer_models.dataset.array_file import PIXEL_FILES, files_of, hashed_meanwhile
from fer_models.dataset.image_format import (
    THUMBNAIL_PX,
    ImageFormat,
    format_of,
    recorded_format,
)
from fer_models.labels import UNLABELLED, VOTE_COLUMNS
from fer_models.storage.backend import Buffers, Content
from fer_models.storage.json_bytes import json_bytes
from fer_models.storage.refs import SnapshotRef
from fer_models.storage.store import ArtifactStore

IMAGE_SIZE_PX = THUMBNAIL_PX
SPLITS = ("train", "validation", "test")
UNASSIGNED = ""
KEPT = "kept"
QUARANTINED = "quarantined"
NO_VOTE = -1
NOT_A_FACE = "not_a_face"
LABEL_ERROR = "label_error"
JUDGED = (NOT_A_FACE, LABEL_ERROR)
"""Reasons of the quarantine that networks decide, or votes; never for held-out images."""

# Column -> dtype, in file order. `split` is "" if the source has none; `label` is -1 for an
# unlabelled image; votes are -1 if there are none; `duplicate_group` is the position of the first
# image with the same pixels; `reason` is "" for kept images.
MANIFEST_DTYPES: dict[str, str] = {
    "image_id": "str",
    "source": "str",
    "row": "int64",
    "path": "str",
    "split": "str",
    "label": "int8",
    **dict.fromkeys(VOTE_COLUMNS, "int8"),
    "pixel_sha256": "str",
    "duplicate_group": "int64",
    "status": "str",
    "reason": "str",
}
CHOSEN_FIT = "fit"
_KEPT_INFO = ("label_sources", "image_format", CHOSEN_FIT)
_MANIFEST_FILE = "manifest.parquet"
_FORMAT = b"ferflow-snapshot-1\n"

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DatasetSnapshot:
    """An opened snapshot: the manifest (N rows) and the images (see `image_format`, read-only).

    Example:
        opened = open_snapshot(store, ref)
        train = opened.positions("train")
        images, labels = opened.images[train], opened.labels(train)
    """

    ref: SnapshotRef
    manifest: pd.DataFrame
    images: Images
    info: Mapping[str, Any]
    small: Images | None = None
    """The stored thumbnails; None if the images are their own."""

    @property
    def thumbnails(self) -> Images:
        """Grey 48 x 48 versions of the images, for data checks and comparisons; read-only."""
        return self.images if self.small is None else self.small

    @property
    def image_format(self) -> ImageFormat:
        """Format of the images, and how those that were not square were fitted to it."""
        return replace(format_of(self.images), fit=recorded_format(self.info).fit)

    @property
    def classes(self) -> ClassList:
        """The classes that the labels number."""
        return ClassList.from_info(self.info)

    def positions(self, split: str) -> npt.NDArray[np.int64]:
        """Row positions of the kept, labelled images of a split, in manifest order."""
        table = self.manifest
        mask = (table["split"] == split) & (table["status"] == KEPT) & (table["label"] >= 0)
        return np.flatnonzero(mask.to_numpy()).astype(np.int64)

    def labels(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Class numbers (0..K-1) at the given positions."""
        return self.manifest["label"].to_numpy(dtype=np.int64)[positions]

    def image_ids(self, positions: npt.NDArray[np.int64]) -> list[str]:
        """Image ids at the given positions."""
        return [str(image_id) for image_id in self.manifest["image_id"].to_numpy()[positions]]


def write_snapshot(
    store: ArtifactStore,
    manifest: pd.DataFrame,
    images: Images,
    step: str,
    parent: SnapshotRef | None = None,
    tables: Mapping[str, pd.DataFrame] | None = None,
    info: Mapping[str, Any] | None = None,
    classes: ClassList | None = None,
    thumbnails: Images | None = None,
    pixel_files: Mapping[str, Buffers] | None = None,
) -> SnapshotRef:
    """Write a snapshot and return its reference.

    Args:
        store: destination.
        manifest: N rows with exactly the columns of `MANIFEST_DTYPES`, in any order.
        images: uint8 N x S x S (x 3). With a `parent` they must be the parent's: its files are
            shared, not copied.
        step: the step that produced it (`ingest`, `clean`, `split`).
        parent: the snapshot it was derived from.
        tables: additional tables (`truth`, `decisions`) by name; part of the id.
        info: additional metadata; of it, only `fit` is part of the id (also the parent's).
        classes: what the labels number; None: the parent's classes, or FER2013's seven.
        thumbnails: `to_thumbnails(images)`, if that is known already.
        pixel_files: `files_of(images, thumbnails)`, if they exist already.
    """
    if classes is None:
        classes = ClassList.from_info(store.info(parent)) if parent else FER2013_CLASSES
    table = _checked_manifest(manifest, images)
    assert table["label"].max() < len(classes)
    tables = tables or {}
    pixels = {} if parent else pixel_files or files_of(images, thumbnails)
    inherited = _inherited(store, parent)
    fit = {**inherited, **(info or {})}.get(CHOSEN_FIT, "")
    with hashed_meanwhile(pixels.values()):
        sha = snapshot_sha(table, images, step, tables, classes, fit)
    facts = {
        "step": step,
        "parent": parent.id if parent else None,
        **inherited,
        "classes": classes.info(),
        **summarise(table, classes),
        **(info or {}),
    }
    files: dict[str, Content] = {_MANIFEST_FILE: _parquet_bytes(table)}
    files |= {f"{name}.parquet": _parquet_bytes(extra) for name, extra in tables.items()}
    if parent is not None:
        stored = store.describe(parent).files
        linked = {name: stored[name] for name in PIXEL_FILES if name in stored}
        return store.put(SnapshotRef, sha, files, facts, linked)
    return store.put(SnapshotRef, sha, {**files, **pixels}, facts)


def open_snapshot(store: ArtifactStore, ref: SnapshotRef) -> DatasetSnapshot:
    """Open a snapshot with its images memory-mapped, read-only.

    Raises:
        StoreError: it is missing or damaged.
    """
    manifest = pd.read_parquet(store.fetch(ref, _MANIFEST_FILE))
    images, small = (
        np.load(store.fetch(ref, name), mmap_mode="r", allow_pickle=False)
        if name in store.describe(ref).files
        else None
        for name in PIXEL_FILES
    )
    assert images is not None
    return DatasetSnapshot(ref, manifest.astype(MANIFEST_DTYPES), images, store.info(ref), small)


def open_table(store: ArtifactStore, ref: SnapshotRef, name: str) -> pd.DataFrame:
    """Read one of the additional tables of a snapshot (`truth`, `decisions`).

    Raises:
        StoreError: the snapshot has no such table.
    """
    return pd.read_parquet(store.fetch(ref, f"{name}.parquet"))


def open_tables(store: ArtifactStore, ref: SnapshotRef) -> dict[str, pd.DataFrame]:
    """Read all additional tables of a snapshot by name, e.g. to pass them to a derived snapshot."""
    names = [name for name in store.describe(ref).files if name.endswith(".parquet")]
    return {
        name.removesuffix(".parquet"): open_table(store, ref, name.removesuffix(".parquet"))
        for name in names
        if name != _MANIFEST_FILE
    }


def snapshot_sha(
    manifest: pd.DataFrame,
    images: Images,
    step: str,
    tables: Mapping[str, pd.DataFrame],
    classes: ClassList = FER2013_CLASSES,
    fit: str = "",
) -> str:
    """Sha256 over the values of the manifest and the tables, the pixels and the step (40 hex).

    The pixels of images that are not their own thumbnails count by `pixel_sha256` in the manifest.
    FER2013's seven classes add nothing to it, other classes their names and merges. A `fit` that
    was chosen, or that a chosen size implies, counts, too: square images do not show it.
    """
    digest = hashlib.sha256(_FORMAT + step.encode() + fit.encode())
    if classes != FER2013_CLASSES:
        digest.update(json_bytes(classes.info()))
    for column, dtype in MANIFEST_DTYPES.items():
        digest.update(column.encode() + b"\0")
        values = manifest[column]
        if dtype == "str":
            digest.update("\x1f".join(values.tolist()).encode())
        else:
            digest.update(np.ascontiguousarray(values.to_numpy(dtype="<i8")).tobytes())
    for name, extra in sorted(tables.items()):
        digest.update(name.encode() + extra.to_csv(index=False).encode())
    if format_of(images).is_thumbnail:
        digest.update(np.ascontiguousarray(images).data)
    else:  # gigabytes, whose hashes are in the manifest
        digest.update(str(format_of(images)).encode())
    return digest.hexdigest()[:40]


def _inherited(store: ArtifactStore, parent: SnapshotRef | None) -> dict[str, Any]:
    """Metadata that derived snapshots keep: what the labels of the sources became."""
    info = store.info(parent) if parent else {}
    return {name: info[name] for name in _KEPT_INFO if name in info}


def summarise(manifest: pd.DataFrame, classes: ClassList) -> dict[str, Any]:
    """Summary counts of a manifest.

    `num_images`, `class_counts` (all labelled images by class name), `kept` and `quarantined`,
    `split_counts` and `kept_class_counts` (kept images only), and `reasons` of the quarantine.
    """
    kept = manifest[manifest["status"] == KEPT]
    quarantined = manifest[manifest["status"] == QUARANTINED]
    splits = kept["split"].replace(UNASSIGNED, "unassigned").value_counts()
    return {
        "num_images": len(manifest),
        "kept": len(kept),
        "quarantined": len(quarantined),
        "unlabelled": int((manifest["label"] == UNLABELLED).sum()),
        "class_counts": _class_counts(manifest, classes),
        "kept_class_counts": _class_counts(kept, classes),
        "split_counts": {str(name): int(count) for name, count in sorted(splits.items())},
        "reasons": {
            str(name): int(count)
            for name, count in sorted(quarantined["reason"].value_counts().items())
        },
    }


def pixel_sha256(images: Images) -> list[str]:
    """Hex sha256 of each image's bytes."""
    return [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest() for image in images]


def first_of_group(keys: pd.Series) -> npt.NDArray[np.int64]:
    """For each row the position of the first row with the same key."""
    codes, _ = pd.factorize(keys)
    first = np.full(codes.max() + 1 if len(codes) else 0, len(codes), dtype=np.int64)
    np.minimum.at(first, codes, np.arange(len(codes)))
    return first[codes]


def _class_counts(manifest: pd.DataFrame, classes: ClassList) -> dict[str, int]:
    labels = manifest["label"].to_numpy(dtype=np.int64)
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    return {name: int(counts[number]) for number, name in enumerate(classes.names)}


def _checked_manifest(manifest: pd.DataFrame, images: Images) -> pd.DataFrame:
    assert set(manifest.columns) == set(MANIFEST_DTYPES), (
        f"manifest columns differ: {set(manifest.columns) ^ set(MANIFEST_DTYPES)}"
    )
    assert images.dtype == np.uint8
    assert images.shape == (len(manifest), *format_of(images).shape)
    assert manifest["image_id"].is_unique
    return manifest[list(MANIFEST_DTYPES)].astype(MANIFEST_DTYPES).reset_index(drop=True)


def _parquet_bytes(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()
