"""Parquet tables of images: FER2013 (`png`, `emotion`, `Usage`, `ferplus_*`), or of `datasets`.

The library `datasets` stores an image as a struct of bytes and path, a label as its number, and
the names of the classes in the metadata of the schema.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.config import NONE
from fer_models.ingest.files.image_decoding import PixelImage, decode_image
from fer_models.ingest.files.image_pixels import quiet_decoding
from fer_models.ingest.files.streams import SourceFile, decompress_to
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.class_label import own_names, texts_without_label
from fer_models.ingest.formats.columns import (
    ID,
    LABEL,
    SPLIT,
    SPLIT_COLUMNS,
    ColumnError,
    check_slice_columns,
    chosen_column,
    chosen_label,
)
from fer_models.ingest.formats.fields import (
    VOTE_NAMES,
    RowIds,
    parse_fields,
    parse_votes,
    reason_of,
    split_of_name,
    votes_problem,
)
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.source_table import NO_VOTES, SourceTable, TableBuilder
from fer_models.progress import report

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_VOTES = tuple(f"ferplus_{name}" for name in VOTE_NAMES)
_ROW_ID = "row"
_INDEX = "__index_level_0__"
_PNG = "png"
_IMAGE_COLUMNS = (_PNG, "image", "img", "jpg", "jpeg", "image_bytes", "bytes")
_SHARD = re.compile(r"(.+)-\d{5}-of-\d{5}")
_ROWS_PER_BATCH = 512
_MAX_REASON = 120


@dataclass(frozen=True)
class _Columns:
    """Names of columns; "" for one that is absent."""

    image: str
    label: str
    split: str
    votes: list[str]
    ignored: list[str]
    has_id: bool
    kept: dict[str, str]
    """User columns: their names in the file by their names in lower case."""


def read_parquet_table(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a parquet file of encoded images.

    Columns: the bytes of image files (`png`, `image`); labels, splits and all ten `ferplus_*` if
    there are any. Values of a column `row` must be unique; rows are numbered by their position in
    the file. Numbers mean what the names in the schema say; without names those of `emotion`
    beside `png` are FER2013's, and others are not read. An image with -1 has no label, nor has one
    with null where the schema describes the column of labels.

    Args:
        file: the file.
        findings: receives all problems.
        settings: what the user says of the labels; without, numbers are FER2013's.

    Returns:
        Its usable images, or None if the file as a whole can't be used.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with (
            seekable(file) as stream,
            pq.ParquetFile(stream, page_checksum_verification=True) as table,
        ):
            try:
                columns = _columns(table.schema_arrow, settings)
            except ColumnError as error:
                findings.add_fault(str(error))
                return None
            faults = _type_faults(table.schema_arrow, columns)
            for fault in faults:
                findings.add_fault(fault)
            if columns.ignored:
                findings.add_note(f"columns ignored: {', '.join(columns.ignored)}")
            proven = "fer2013" if (columns.image, columns.label) == (_PNG, "emotion") else ""
            if faults:
                return None
            own = own_names(table.schema_arrow, columns.label)
            missing = texts_without_label(table.schema_arrow, columns.label)
            labels = LabelReader(settings, proven, own, missing)
            return _read_rows(table, columns, file.name, findings, labels)
    except (pa.ArrowException, OSError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        findings.add_fault(
            f"the parquet file is truncated or damaged ({first_line[:_MAX_REASON]}); "
            "copy or download it again"
        )
        return None


def first_images(
    file: SourceFile, count: int, settings: LabelSettings = DEFAULT_LABELS
) -> list[bytes]:
    """The bytes of the first image files of a table; none if it can't be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with seekable(file) as stream, pq.ParquetFile(stream) as table:
            column = _columns(table.schema_arrow, settings).image
            batches = table.iter_batches(batch_size=count, columns=[column])
            first = next(batches, None)
            return [] if first is None else [_bytes(row[column]) for row in first.to_pylist()]
    except (ColumnError, pa.ArrowException, OSError, ValueError):
        return []


@contextmanager
def seekable(file: SourceFile) -> Iterator[IO[bytes]]:
    """The file's decompressed bytes; a compressed file is decompressed to a temporary file."""
    with file.open() as stream:
        if stream.seekable():
            yield stream
            return
        with tempfile.TemporaryFile() as plain:
            decompress_to(stream, plain, file.name)
            plain.seek(0)
            yield plain


def _columns(schema: "pa.Schema", settings: LabelSettings) -> _Columns:
    config = settings.table
    names = {name.lower(): name for name in schema.names}
    image = chosen_column(list(names), config.image, _IMAGE_COLUMNS, "image")
    votes = [name for name in schema.names if name in _VOTES]
    split = chosen_column(list(names), config.split, SPLIT_COLUMNS, "split")
    label = chosen_label(list(names), config.label, "emotion" if image == _PNG else "")
    others = [name for name in names if name not in (image, label, split, _ROW_ID, _INDEX)]
    others = [names[name] for name in others if names[name] not in votes]
    is_unlabelled = config.label == NONE or not (label or split or votes or others)
    if not image or len(votes) not in (0, len(_VOTES)) or not (label or is_unlabelled):
        raise ColumnError(
            "expected the column png (image bytes) or image (as the library datasets writes it), "
            f"alone or with emotion, label or another column of labels, and all or none of "
            f"{','.join(_VOTES)}; got {','.join(schema.names)[:300]}; name the columns with "
            "data.table.image and data.table.label (none: no labels)"
        )
    if not settings.has_several_sources:
        check_slice_columns(list(names), settings.slice_columns)
    kept = {name: names[name] for name in settings.slice_columns if name in names}
    ignored = [name for name in others if name not in kept.values()]
    label, split = names.get(label, ""), names.get(split, "")
    return _Columns(names[image], label, split, votes, ignored, _ROW_ID in names, kept)


def _type_faults(schema: "pa.Schema", columns: _Columns) -> list[str]:
    import pyarrow.types as types

    def is_text(kind: "pa.DataType") -> bool:
        if types.is_dictionary(kind):
            kind = kind.value_type
        return bool(types.is_string(kind) or types.is_large_string(kind))

    def is_bytes(kind: "pa.DataType") -> bool:
        if types.is_struct(kind):
            return any(field.name == "bytes" and is_bytes(field.type) for field in kind)
        return bool(types.is_binary(kind) or types.is_large_binary(kind))

    def is_label(kind: "pa.DataType") -> bool:
        return bool(types.is_integer(kind)) or types.is_floating(kind) or is_text(kind)

    is_fer2013 = columns.image == _PNG and columns.label == "emotion"
    expected = {
        columns.image: ("bytes", is_bytes),
        columns.label: ("whole numbers", types.is_integer) if is_fer2013 else ("labels", is_label),
        columns.split: ("text", is_text),
        **dict.fromkeys(columns.votes, ("whole numbers", types.is_integer)),
    }
    return [
        f"expected {what} in the column {name}, got {schema.field(name).type}; convert it"
        for name, (what, fits) in expected.items()
        if name and not fits(schema.field(name).type)
    ]


def _read_rows(
    table: "pq.ParquetFile", columns: _Columns, name: str, findings: Findings, labels: LabelReader
) -> SourceTable:
    wanted = [columns.image, columns.label, columns.split, *columns.votes, *columns.kept.values()]
    wanted = [*dict.fromkeys(filter(None, wanted)), *([_ROW_ID] if columns.has_id else [])]
    shard = _SHARD.match(name)
    split = split_of_name(shard[1]) if shard and not columns.split else UNASSIGNED
    total, done = table.metadata.num_rows, 0
    if not total:
        findings.add_fault("expected rows, got none; copy the file again")
    target = labels.settings.image_format
    builder, row_ids = TableBuilder(target), RowIds()
    for batch in table.iter_batches(batch_size=_ROWS_PER_BATCH, columns=wanted):
        listed = batch.to_pylist()
        with quiet_decoding():
            # No threads: decoding such small images is faster than submitting tasks.
            images = [
                decode_image(_bytes(values[columns.image]), target=target) for values in listed
            ]
        for row, (values, image) in enumerate(zip(listed, images, strict=True), start=done):
            texts = _texts(values, columns)
            problems = {}
            if columns.has_id and (problem := row_ids.problem(texts[ID], row)):
                problems[ID] = problem
            kept = {name: values[column] for name, column in columns.kept.items()}
            _add_row(row, texts, image, problems, split, kept, builder, findings, labels)
        done += batch.num_rows
        report("ingest", done, total, "images", name)
    if done != total:
        findings.add_fault(
            f"the parquet file is damaged (expected {total} rows, got {done}); copy or download it "
            "again"
        )
    labels.finish(findings)
    read = builder.table(total, has_usage=bool(columns.split), has_votes=bool(columns.votes))
    return labels.named(read)


def _bytes(value: Any) -> bytes:
    """The bytes of an image: of a column of bytes, or of a struct of bytes and path."""
    content = value.get("bytes") if isinstance(value, dict) else value
    return content or b""


def _texts(values: Mapping[str, Any], columns: _Columns) -> dict[str, bytes]:
    """The fields of a row by their meaning: LABEL, SPLIT, ID, and the names of the votes."""
    meaning = {LABEL: columns.label, SPLIT: columns.split, ID: _ROW_ID if columns.has_id else ""}
    meaning |= {name: name for name in columns.votes}
    return {key: str(values[name]).encode() for key, name in meaning.items() if name}


def _add_row(
    row: int,
    texts: Mapping[str, bytes],
    image: PixelImage | str,
    problems: dict[str, str],
    split: str,
    kept: Mapping[str, Any],
    builder: TableBuilder,
    findings: Findings,
    labels: LabelReader,
) -> None:
    """Add one row's image, or record its problems."""
    meaning = parse_fields(texts, labels)
    problems = {**problems, **meaning.problems}
    votes = NO_VOTES
    if _VOTES[0] in texts:
        counts = [texts[name] for name in _VOTES]
        votes = parse_votes(counts) or NO_VOTES
        if votes == NO_VOTES:
            problems["votes"] = votes_problem(counts)
    if isinstance(image, str):
        findings.add_bad_row(row, f"row {row}", [image, *problems.values()])
        return
    if problems:
        findings.add_bad_row(row, f"row {row}", [*problems.values()], has_image=True)
    builder.add_images(image[None])
    reason = reason_of(problems)
    columns = {name: "" if value is None else str(value).strip() for name, value in kept.items()}
    builder.add_fields(row, meaning.label, meaning.split or split, "", reason, votes, columns)
