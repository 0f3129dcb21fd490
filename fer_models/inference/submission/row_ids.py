"""Columns of a table beside its images: which there are, and the ids of its rows."""

from collections.abc import Sequence

from fer_models.ingest.files.compression import decompressed
from fer_models.ingest.files.detection import SourceKind, read_header
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.columns import NAME_COLUMNS, NUMBER_COLUMNS
from fer_models.ingest.formats.csv_rows import read_rows
from fer_models.ingest.formats.parquet import seekable
from fer_models.ingest.layouts.table_rows import TableRows, read_table
from fer_models.ingest.locate import Source

_MAX_SHOWN = 12


def table_has_labels(source: Source) -> bool:
    """Whether a table of pixels or images has a column of labels, by its name."""
    return any(name in (*NAME_COLUMNS, *NUMBER_COLUMNS) for name in _columns(source))


def column_ids(source: Source, column: str, findings: Findings) -> tuple[str, ...]:
    """The values of a column, one for each row; they must be unique and not empty.

    Args:
        source: a table; folders and archives have no columns.
        column: its name, in any case.
        findings: receives the faults, which name the rows.
    """
    names = _columns(source)
    wanted = column.strip().lower()
    if wanted not in names:
        shown = ", ".join(names[:_MAX_SHOWN]) or "none: it is no table"
        findings.add_fault(f"--id-column {column}: there is no such column; it has {shown}")
        return ()
    values = _values(source, names, wanted)
    first: dict[str, int] = {}
    for row, value in enumerate(values):
        before = first.setdefault(value, row)
        if not value:
            findings.add_fault(f"row {row}: expected an id in the column {column}, got none")
        elif before != row:
            findings.add_fault(f"row {row}: the id {value[:30]!r} is also that of row {before}")
    return tuple(values)


def _columns(source: Source) -> list[str]:
    """In lower case; none for pictures."""
    if source.kind is SourceKind.PIXEL_TABLE:
        with source.file.open() as stream:
            return read_header(stream).names
    if source.kind is SourceKind.PARQUET:
        import pyarrow.parquet as pq

        with seekable(source.file) as file, pq.ParquetFile(file) as table:
            return [name.lower() for name in table.schema_arrow.names]
    if source.kind is SourceKind.IMAGE_LIST:
        return _image_list(source).columns
    return []


def _image_list(source: Source) -> TableRows:
    """The table of a list of images, which may be compressed."""
    return read_table(decompressed(source.path.read_bytes(), source.path.name))


def _values(source: Source, names: Sequence[str], column: str) -> list[str]:
    if source.kind is SourceKind.IMAGE_LIST:
        return [value.strip() for value in _image_list(source).values(column)]
    position = names.index(column)
    if source.kind is SourceKind.PARQUET:
        import pyarrow.parquet as pq

        with seekable(source.file) as file, pq.ParquetFile(file) as table:
            name = table.schema_arrow.names[position]
            values = table.read(columns=[name]).column(name).to_pylist()
        return ["" if value is None else str(value).strip() for value in values]
    with source.file.open() as stream:
        separator = read_header(stream).separator
        rows = (row.fields for row in read_rows(stream, separator))
        # A row with too few fields may lack this one.
        fields = [row[position] if position < len(row) else b"" for row in rows]
    return [field.decode("utf-8", errors="replace") for field in fields]
