"""Reads all sources in order, each with the reader of its format."""

from collections.abc import Callable
from dataclasses import dataclass

from fer_models.ingest.config import DataConfig
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.open import SourceFile
from fer_models.ingest.findings import Findings, raise_if_bad
from fer_models.ingest.formats.ferplus import join_votes, read_votes
from fer_models.ingest.formats.image_folder import read_image_archive, read_image_folder
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.locate import Source, locate_sources
from fer_models.ingest.source_kind import SourceKind
from fer_models.ingest.source_table import SourceTable
from fer_models.progress import report
from fer_models.synthetic.config import SyntheticConfig

_READERS: dict[SourceKind, Callable[[SourceFile, Findings], SourceTable | None]] = {
    SourceKind.PIXEL_TABLE: read_pixel_table,
    SourceKind.PARQUET: read_parquet_table,
    SourceKind.FOLDER: read_image_folder,
    SourceKind.IMAGE_ARCHIVE: read_image_archive,
}
# What FER+ votes may follow; a source that can't be used at all has its own message.
_TABLES = (SourceKind.PIXEL_TABLE, SourceKind.PARQUET, None)


@dataclass(frozen=True)
class ReadSource:
    """A source and what was read from it; no table where it can't be used or only adds votes."""

    source: Source
    findings: Findings
    table: SourceTable | None


def read_sources(config: DataConfig, seed: int) -> list[ReadSource]:
    """Read and check every source.

    Args:
        config: the sources, and whether bad rows are set aside.
        seed: of the synthetic faces.

    Raises:
        DataError: listing everything that is wrong with any of them.
    """
    read: list[ReadSource] = []
    for source, findings in locate_sources(config.sources):
        table = None
        if source.kind is SourceKind.SYNTHETIC and not findings.faults:
            report("ingest", 0, config.synthetic.num_images, "images", source.name)
            table = _synthetic_table(config.synthetic, seed)
        elif source.kind is SourceKind.FERPLUS:
            _read_and_join(source, findings, read)
        elif source.kind in _READERS:
            table = _read_images(source, findings)
        read.append(ReadSource(source, findings, table))
    if config.quarantine_bad_rows:
        _refuse_if_nothing(read)
    raise_if_bad([one.findings for one in read], config.quarantine_bad_rows)
    return read


def _read_images(source: Source, findings: Findings) -> SourceTable | None:
    assert source.kind is not None
    try:
        return _READERS[source.kind](source.file, findings)
    except (OSError, CompressionError) as error:
        findings.refuse(_stopped(error))
        return None


def _read_and_join(source: Source, findings: Findings, read: list[ReadSource]) -> None:
    try:
        votes = read_votes(source.file, findings)
    except (OSError, CompressionError) as error:
        findings.refuse(_stopped(error))
        return
    before = read[-1] if read else None
    if before is None or before.source.kind not in _TABLES:
        findings.refuse(
            "FER+ votes belong to the FER2013 table named just before them, and none is named "
            "there; name fer2013.csv or icml_face_data.csv before this file"
        )
    elif votes is not None and before.table is not None and not before.findings.faults:
        join_votes(before.table, before.source.name, votes, findings)


def _stopped(error: OSError | CompressionError) -> str:
    if isinstance(error, CompressionError):
        return str(error)
    return f"reading stopped ({error.strerror or error}); check the disk and the access rights"


def _refuse_if_nothing(read: list[ReadSource]) -> None:
    """Without any usable image there is nothing to snapshot, however much was set aside."""
    has_images = any(one.table is not None and len(one.table.images) for one in read)
    if has_images or any(one.findings.faults for one in read):
        return
    for one in read:
        bad_rows = one.findings.bad_rows
        example = f", e.g. {bad_rows[0].place}: {bad_rows[0].problem}" if bad_rows else ""
        one.findings.refuse(
            f"expected at least one usable image, all {len(bad_rows)} are bad{example}"
        )


def _synthetic_table(config: SyntheticConfig, seed: int) -> SourceTable:
    from fer_models.synthetic.generate import generate_synthetic

    faces = generate_synthetic(config, seed)
    fields = faces.manifest_fields[["split", "label", "path"]].reset_index(drop=True)
    fields = fields.assign(row=range(len(fields)), reason="")
    return SourceTable(fields, faces.images, len(fields), truth=faces.truth)
