"""Read recent face crops without labels: pictures, folders, archives and tables, also in buckets.

N images, uint8 in the format of the champion's training images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_models.batch.earlier import names_batches, recent_faces
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.snapshot import Images, pixel_sha256
from fer_models.errors import DataError
from fer_models.inference.pictures.batches import batches, map_pictures
from fer_models.inference.pictures.find import find_pictures
from fer_models.inference.pictures.read import read_pictures
from fer_models.ingest.archive_member import SEPARATOR
from fer_models.ingest.files.archive import list_archive, member_contents
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import SourceKind, is_image
from fer_models.ingest.files.image_decoding import decode_image
from fer_models.ingest.files.image_pixels import (
    DAMAGED_IN_ARCHIVE,
    MAX_FILE_BYTES,
    quiet_decoding,
)
from fer_models.ingest.files.remote import is_url, local_copy
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.locate import Source, locate_sources
from fer_models.redaction import without_credentials
from fer_models.storage.store import ArtifactStore
from fer_models.user_input import user_path

_TABLES = {
    SourceKind.PIXEL_TABLE: read_pixel_table,
    SourceKind.PARQUET: read_parquet_table,
}


@dataclass(frozen=True)
class Skipped:
    """A picture that can't be read, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class RecentImages:
    """Distinct recent images with their names; `num_copies` repeated ones were dropped."""

    images: Images
    names: tuple[str, ...]
    shas: tuple[str, ...]
    num_copies: int = 0
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        """Number of distinct images."""
        return len(self.names)


@dataclass
class _Collection:
    names: list[str] = field(default_factory=list)
    images: list[Images] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_recent(
    paths: Sequence[str],
    image_format: ImageFormat = THUMBNAIL,
    store: ArtifactStore | None = None,
) -> RecentImages:
    """Read every picture of the given files, folders, archives and tables, in order.

    `predictions:7d` and `predictions:20` mean the faces of the last seven days, or of the last 20
    batches, of batch prediction in `store` (see `recent_faces`).

    Folder names and labels are ignored. Pictures that can't be read are skipped and reported;
    repeated pictures count once, because copies would make any difference look certain.

    Example:
        recent = read_recent(["/data/last-week", "faces.zip", "s3://bucket/test.csv"])
        len(recent), recent.skipped

    Raises:
        DataError: lists all paths that don't exist or have an unknown format.
    """
    found = _Collection()
    for path in paths:
        if names_batches(path) and store is not None:
            _read_batches(store, path, found, image_format)
        else:
            _read_path(path, found, LabelSettings(image_format=image_format, ignored=True))
    if found.problems:
        raise DataError("the recent images can't be read", found.problems)
    return distinct(
        np.concatenate([image_format.none(), *found.images]), found.names, found.skipped
    )


def distinct(images: Images, names: Sequence[str], skipped: Sequence[Skipped] = ()) -> RecentImages:
    """The images without repeated ones.

    Args:
        images: uint8 N x H x W or N x H x W x 3.
        names: N names.
        skipped: pictures that could not be read.
    """
    first: dict[str, int] = {}
    for row, sha in enumerate(pixel_sha256(images)):
        first.setdefault(sha, row)
    rows = list(first.values())
    return RecentImages(
        images=images[rows],
        names=tuple(names[row] for row in rows),
        shas=tuple(first),
        num_copies=len(names) - len(rows),
        skipped=tuple(skipped),
    )


def _read_batches(
    store: ArtifactStore, text: str, found: _Collection, image_format: ImageFormat
) -> None:
    try:
        faces = recent_faces(store, text, image_format)
    except DataError as error:
        found.problems.append(error.message)
        return
    found.names += faces.names
    found.images.append(faces.images)
    why = f"its faces are not {image_format}, as those of the champion"
    found.skipped += [Skipped(f"batch {batch}", why) for batch in faces.other_formats]


def _read_path(named: str, found: _Collection, settings: LabelSettings) -> None:
    findings = Findings(without_credentials(named))
    path = _local_path(named, findings)
    if path is not None and (path.is_dir() or is_image(path.name)):
        _read_pictures(path, named if is_url(named) else str(path), found, settings.image_format)
        return
    if not findings.faults:
        [(source, findings)] = locate_sources([named])
        _read_source(source, findings, found, settings)
    found.problems += findings.lines(with_rows=False)


def _local_path(named: str, findings: Findings) -> Path | None:
    """The named file or folder, or its copy from a bucket; None for a part of an archive there."""
    if is_url(named):
        return None if SEPARATOR in named else local_copy(named, findings)
    return user_path(named)


def _read_source(
    source: Source, findings: Findings, found: _Collection, settings: LabelSettings
) -> None:
    try:
        if findings.faults:
            pass
        elif source.kind in _TABLES:
            _read_table(source, findings, found, settings)
        elif source.kind is SourceKind.IMAGE_ARCHIVE:
            _read_archive(source, found, settings.image_format)
        else:
            findings.add_fault(f"expected pictures or a table of pixels, got {source.kind}")
    except (OSError, CompressionError) as error:
        findings.add_fault(f"reading stopped ({error}); check the file")


def _read_pictures(path: Path, named: str, found: _Collection, image_format: ImageFormat) -> None:
    """Read a picture or a folder of them; in all messages it is called `named`."""

    def shown(picture: str) -> str:
        return named.rstrip("/") + picture[len(str(path)) :]

    try:
        pictures = find_pictures([str(path)])
    except DataError as error:
        found.problems += error.problems
        return
    for batch in batches(read_pictures(pictures)):
        with quiet_decoding():
            crops = map_pictures(lambda picture: picture.as_crop(image_format), batch)
        for picture, crop in zip(batch, crops, strict=True):
            if isinstance(crop, str):
                found.skipped.append(Skipped(shown(picture.path), crop))
            else:
                found.names.append(shown(picture.path))
                found.images.append(crop[None])


def _read_table(
    source: Source, findings: Findings, found: _Collection, settings: LabelSettings
) -> None:
    assert source.kind is not None
    table = _TABLES[source.kind](source.file, findings, settings)
    found.skipped += [Skipped(f"{source.name}, {b.location}", b.problem) for b in findings.bad_rows]
    if table is not None:
        found.names += [f"{source.name}, row {row}" for row in table.fields["row"]]
        found.images.append(table.images)


def _read_archive(source: Source, found: _Collection, image_format: ImageFormat) -> None:
    for name, content in _archive_pictures(source):
        decoded = (
            DAMAGED_IN_ARCHIVE if content is None else decode_image(content, target=image_format)
        )
        if isinstance(decoded, str):
            found.skipped.append(Skipped(f"{source.path.name}{SEPARATOR}{name}", decoded))
        else:
            found.names.append(f"{source.path.name}{SEPARATOR}{name}")
            found.images.append(decoded[None])


def _archive_pictures(source: Source) -> Iterator[tuple[str, bytes | None]]:
    prefix = f"{source.member}/" if source.member else ""
    members = [member.name for member in list_archive(source.path).members]
    wanted = [name for name in members if name.startswith(prefix) and is_image(name)]
    return iter(member_contents(source.path, sorted(wanted), MAX_FILE_BYTES))
