"""Read all sources in order, each with the reader of its format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.config import DataConfig
from fer_models.ingest.decoding.decoder import Decoder
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.image_decoding import convert_all
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings, raise_if_bad
from fer_models.ingest.formats.ferplus import join_votes, read_votes
from fer_models.ingest.formats.fields import split_of_name
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.formats.parquet_folder import read_parquet_folder
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.image_sizes import choose_format
from fer_models.ingest.layouts.image_folder import ImageSource, open_images, read_images
from fer_models.ingest.locate import Source, locate_sources
from fer_models.ingest.source_table import SourceTable
from fer_models.ingest.table_settings import check_table_settings
from fer_models.labels import UNLABELLED
from fer_models.progress import report
from fer_models.synthetic.config import SyntheticConfig

_READERS: dict[SourceKind, Callable[[SourceFile, Findings, LabelSettings], SourceTable | None]] = {
    SourceKind.PIXEL_TABLE: read_pixel_table,
    SourceKind.PARQUET: read_parquet_table,
    SourceKind.PARQUET_FOLDER: read_parquet_folder,
}
_IMAGE_KINDS = (SourceKind.FOLDER, SourceKind.IMAGE_ARCHIVE, SourceKind.IMAGE_LIST)
# FER+ votes may follow these. A source without a kind has a message of its own.
_TABLES = (SourceKind.PIXEL_TABLE, SourceKind.PARQUET, SourceKind.PARQUET_FOLDER, None)


@dataclass(frozen=True)
class ReadSource:
    """A source and its images; no table if it can't be used or only adds votes."""

    source: Source
    findings: Findings
    table: SourceTable | None
    image_format: ImageFormat


def read_sources(config: DataConfig, seed: int, folder: Path | None = None) -> list[ReadSource]:
    """Read and check every source.

    Args:
        config: the sources, and whether bad rows are quarantined.
        seed: of the synthetic faces.
        folder: of a local store; see `Decoder`.

    Raises:
        DataError: listing all problems of all sources.
    """
    located = locate_sources(config.sources)
    settings = LabelSettings(
        config.label_scheme,
        config.classes,
        config.table,
        has_several_sources=len(config.sources) > 1,
        slice_columns=config.slice_columns,
        finds_faces=config.faces == "detect",
    )
    with Decoder(folder) as decoder:
        opened = _opened(located, settings, decoder)
        check_table_settings(located, opened, config.table)
        image_format = choose_format(config, [source for source, _ in located], opened, settings)
        settings = replace(settings, image_format=image_format)
        read: list[ReadSource] = []
        for source, findings in located:
            table = None
            if source.kind is SourceKind.SYNTHETIC and not findings.faults:
                report("ingest", 0, config.synthetic.num_images, "images", source.name)
                table = _synthetic_table(config.synthetic, seed, image_format)
            elif source.kind is SourceKind.FERPLUS:
                _join_votes(source, findings, read)
            elif source.kind in _READERS or source.stem in opened:
                table = _read_images(source, opened.get(source.stem), findings, settings, decoder)
            read.append(ReadSource(source, findings, table, image_format))
    _assign_named_splits(read)
    if config.quarantine_bad_rows or not any(one.findings.bad_rows for one in read):
        _reject_if_empty(read)
    raise_if_bad([one.findings for one in read], config.quarantine_bad_rows)
    return read


def _opened(
    located: Sequence[tuple[Source, Findings]], settings: LabelSettings, decoder: Decoder
) -> dict[str, ImageSource]:
    """The sources with images in files whose layout is recognised, by stem."""
    opened = {}
    for source, findings in located:
        if source.kind not in _IMAGE_KINDS:
            continue
        try:
            images = open_images(source.kind, source.file, findings, settings, decoder.expect)
        except (OSError, CompressionError) as error:
            findings.add_fault(_read_error(error))
            continue
        if images is not None:
            opened[source.stem] = images
    return opened


def _read_images(
    source: Source,
    opened: ImageSource | None,
    findings: Findings,
    settings: LabelSettings,
    decoder: Decoder,
) -> SourceTable | None:
    assert source.kind is not None
    try:
        if opened is not None:
            return read_images(opened, findings, settings, decoder)
        table = _READERS[source.kind](source.file, findings, settings)
    except (OSError, CompressionError) as error:
        findings.add_fault(_read_error(error))
        return None
    if table is not None and (note := table.unlabelled_note(table.rows_without_label())):
        findings.add_note(note)
    return table


def _join_votes(source: Source, findings: Findings, read: list[ReadSource]) -> None:
    try:
        votes = read_votes(source.file, findings)
    except (OSError, CompressionError) as error:
        findings.add_fault(_read_error(error))
        return
    previous = read[-1] if read else None
    if previous is None or previous.source.kind not in _TABLES:
        findings.add_fault(
            "expected a FER2013 table just before these FER+ votes, got none; "
            "name fer2013.csv or icml_face_data.csv before this file"
        )
    elif votes is not None and previous.table is not None and not previous.findings.faults:
        join_votes(previous.table, previous.source.name, votes, findings)


def _assign_named_splits(read: Sequence[ReadSource]) -> None:
    """Give sources without splits the one that their name says, if the sources have several.

    A single `train` is a data set to split. Beside a `test`, it is not. One without any label,
    such as the `test.csv` of a challenge, is no test split.
    """
    named: list[tuple[ReadSource, pd.DataFrame, str]] = []
    splits: set[str] = set()
    for one in read:
        if one.table is None:
            continue
        own = set(one.table.fields["split"]) - {UNASSIGNED}
        split = split_of_name(one.source.stem)
        if not own and split and (one.table.fields["label"] != UNLABELLED).any():
            named.append((one, one.table.fields, split))
            own = {split}
        splits |= own
    for one, fields, split in named if len(splits) > 1 else ():
        fields["split"] = split
        one.findings.add_note(f"its images are the {split} split, as its name says")


def _read_error(error: OSError | CompressionError) -> str:
    if isinstance(error, CompressionError):
        return str(error)
    return f"reading stopped ({error.strerror or error}); check the disk and the access rights"


def _reject_if_empty(read: list[ReadSource]) -> None:
    """A snapshot needs at least one usable image, however many are quarantined."""
    has_images = any(one.table is not None and len(one.table.images) for one in read)
    if has_images or any(one.findings.faults for one in read):
        return
    for one in read:
        bad_rows = one.findings.bad_rows
        if not bad_rows:
            one.findings.add_fault("expected at least one image, got none; add images or rows")
            continue
        example = f", e.g. {bad_rows[0].location}: {bad_rows[0].problem}"
        one.findings.add_fault(
            f"expected at least one usable image, got {len(bad_rows)} bad ones{example}"
        )


def _synthetic_table(config: SyntheticConfig, seed: int, image_format: ImageFormat) -> SourceTable:
    from fer_models.synthetic.generate import generate_synthetic

    faces = generate_synthetic(config, seed)
    fields = faces.manifest_fields[["split", "label", "path"]].reset_index(drop=True)
    fields = fields.assign(row=range(len(fields)), reason="")
    images = convert_all(faces.images, image_format)
    return SourceTable(fields, images, len(fields), truth=faces.truth)
