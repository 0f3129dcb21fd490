"""FER2013 as parquet: `png` (image bytes), and `emotion`, `Usage`, `row`, `ferplus_*` votes."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from fer_models.ingest.files.image_decoding import GreyImage, decode_image, quiet_decoding
from fer_models.ingest.files.streams import SourceFile, decompress_to
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import (
    VOTE_NAMES,
    RowIds,
    parse_fields,
    parse_votes,
    reason_of,
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
_IGNORED = (_ROW_ID, "__index_level_0__")
_COLUMN_SETS = (["Usage", "emotion", "png"], ["emotion", "png"], ["png"])
_ROWS_PER_BATCH = 512
_MAX_REASON = 120


def read_parquet_table(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a parquet file of encoded images.

    Columns: `png` (bytes of an image file), with `emotion` and `Usage`, or `emotion`, or neither
    (unlabelled); all ten `ferplus_*` or none. Values of a column `row` must be unique; rows are
    numbered by their position in the file.

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
            _seekable(file) as stream,
            pq.ParquetFile(stream, page_checksum_verification=True) as table,
        ):
            faults = _column_faults(table.schema_arrow)
            for fault in faults:
                findings.add_fault(fault)
            labels = LabelReader(settings, proven="fer2013")
            return None if faults else _read_rows(table, file.name, findings, labels)
    except (pa.ArrowException, OSError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        findings.add_fault(
            f"the parquet file is truncated or damaged ({first_line[:_MAX_REASON]}); "
            "copy or download it again"
        )
        return None


@contextmanager
def _seekable(file: SourceFile) -> Iterator[IO[bytes]]:
    """The file's decompressed bytes; a compressed file is decompressed to a temporary file."""
    with file.open() as stream:
        if stream.seekable():
            yield stream
            return
        with tempfile.TemporaryFile() as plain:
            decompress_to(stream, plain, file.name)
            plain.seek(0)
            yield plain


def _column_faults(schema: "pa.Schema") -> list[str]:
    import pyarrow.types as types

    names = list(schema.names)
    votes = [name for name in names if name in _VOTES]
    others = sorted(name for name in names if name not in (*_VOTES, *_IGNORED))
    if others not in _COLUMN_SETS or len(votes) not in (0, len(_VOTES)):
        fault = (
            "expected the column png (image bytes), alone, with emotion, or with emotion and "
            f"Usage, and all or none of {','.join(_VOTES)}; got {','.join(names)[:300]}; "
            "rename or complete the columns"
        )
        return [fault]
    expected = {
        "png": ("bytes", lambda kind: types.is_binary(kind) or types.is_large_binary(kind)),
        "Usage": ("text", lambda kind: types.is_string(kind) or types.is_large_string(kind)),
        **dict.fromkeys(("emotion", *_VOTES), ("whole numbers", types.is_integer)),
    }
    return [
        f"expected {what} in the column {name}, got {schema.field(name).type}; convert it"
        for name, (what, fits) in expected.items()
        if name in names and not fits(schema.field(name).type)
    ]


def _read_rows(
    table: "pq.ParquetFile", name: str, findings: Findings, labels: LabelReader
) -> SourceTable:
    columns = [name for name in table.schema_arrow.names if name not in _IGNORED[1:]]
    total, done = table.metadata.num_rows, 0
    if not total:
        findings.add_fault("expected rows, got none; copy the file again")
    builder, row_ids = TableBuilder(), RowIds()
    for batch in table.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns):
        listed = batch.to_pylist()
        with quiet_decoding():
            # No threads: decoding such small images is faster than submitting tasks.
            images = [decode_image(values["png"] or b"") for values in listed]
        for row, (values, image) in enumerate(zip(listed, images, strict=True), start=done):
            id_problem = ""
            if _ROW_ID in values:
                id_problem = row_ids.problem(str(values.pop(_ROW_ID)).encode(), row)
            _add_row(row, values, image, id_problem, builder, findings, labels)
        done += batch.num_rows
        report("ingest", done, total, "images", name)
    if done != total:
        findings.add_fault(
            f"the parquet file is damaged (expected {total} rows, got {done}); copy or download it "
            "again"
        )
    labels.finish(findings)
    read = builder.table(total, has_usage="Usage" in columns, has_votes=_VOTES[0] in columns)
    return labels.named(read)


def _add_row(
    row: int,
    values: Mapping[str, Any],
    image: GreyImage | str,
    id_problem: str,
    builder: TableBuilder,
    findings: Findings,
    labels: LabelReader,
) -> None:
    """Add one row's image, or record its problems."""
    texts = {name.lower(): str(values[name]).encode() for name in values if name != "png"}
    meaning = parse_fields(texts, labels)
    problems = {**({"id": id_problem} if id_problem else {}), **meaning.problems}
    votes = NO_VOTES
    if _VOTES[0] in values:
        counts = [texts[name.lower()] for name in _VOTES]
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
    builder.add_fields(row, meaning.label, meaning.split, reason=reason, votes=votes)
