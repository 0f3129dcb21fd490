"""A table of labels as rows of texts: csv with any separator, JSON lines, JSON or parquet."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fer_models.ingest.files.detection import IMAGE_SUFFIXES, may_list, plain_name, read_header
from fer_models.ingest.formats.csv_rows import BrokenTextError, read_rows

AFFECTNET_PATH = "subdirectory_filepath"
PATH_COLUMNS = (
    *("path", "file", "filename", "file_name", "file name", "filepath", "file_path", "image"),
    *("image_path", "image_name", "image name", "imagename", "img", "img_path", "img_name", "pth"),
    *("image_file", "image_id", "name", "id", AFFECTNET_PATH),
)
# Some data sets have a text file an image.
_MAX_TABLES = 200
_MIN_COLUMNS = 2
_PARQUET_MAGIC = b"PAR1"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_AFFECTNET = (
    *("subdirectory_filepath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
_LANDMARKS, _MIN_LANDMARKS = 5, 100


class TableError(ValueError):
    """A file is no table that can be read; the message is meant for the user."""


@dataclass(frozen=True)
class TableRows:
    """R rows of C texts."""

    columns: list[str]
    """In lower case; "1", "2", ... for a table without a header line."""
    rows: list[Sequence[str]]
    where: list[str]
    """How messages name each row."""
    has_header: bool = True
    is_text: bool = False
    """Whether it comes from a text file, whose first line may be a header or not."""
    ragged: list[str] = field(default_factory=list)
    """Rows with another number of columns, as messages name them; they are not in `rows`."""

    def values(self, column: str) -> list[str]:
        """All texts of a column."""
        position = self.columns.index(column)
        return [row[position] for row in self.rows]


def list_candidates(names: Sequence[str], head: Callable[[str], bytes]) -> list[str]:
    """The files that may be tables of images, by their first bytes; the outermost ones."""
    lists = sorted(filter(may_list, names), key=lambda name: name.count("/"))
    return sorted(name for name in lists[:_MAX_TABLES] if is_image_list(name, head(name)))


def is_image_list(name: str, head: bytes) -> bool:
    r"""Whether a file that begins with `head` may be a table of image paths and labels.

    Example:
        is_image_list("labels.csv", b"path,label\n")  # True
    """
    name = plain_name(name).lower()
    if not head.strip() or name.endswith((".npy", ".lst")):
        return False
    if name.endswith(".parquet"):
        return _is_parquet_list(head)
    if head.lstrip()[:1] in (b"{", b"["):
        return any(f'"{column}"'.encode() in head.lower() for column in PATH_COLUMNS)
    try:
        rows = read_table(b"\n".join(head.split(b"\n", 2)[:2]))
    except TableError:
        return False
    is_other = "pixels" in rows.columns or {"neutral", "nf"} <= set(rows.columns)  # FER+ votes
    if is_other or len(rows.columns) < _MIN_COLUMNS:
        return False
    has_paths = any(names_image(text) for row in rows.rows for text in row)
    return not rows.has_header or has_paths or any(c in rows.columns for c in PATH_COLUMNS)


def _is_parquet_list(content: bytes) -> bool:
    try:
        columns = read_table(content).columns
    except TableError:
        return False
    return any(column in columns for column in PATH_COLUMNS)


def read_table(content: bytes, separator: str = "", has_header: bool | None = None) -> TableRows:
    """Read a table of any of the formats, recognised by its content.

    Args:
        content: of the file.
        separator: of a text table; "" for that of its first line.
        has_header: whether a text table begins with the names of its columns; None if it does
            unless its first line has the name of an image.

    Raises:
        TableError: it is damaged, or no table.
    """
    if content.startswith(_PARQUET_MAGIC):
        return _parquet(content)
    if content.removeprefix(_BYTE_ORDER_MARK).lstrip()[:1] in (b"{", b"["):
        return _json(content)
    return _text(content, separator, has_header)


def names_image(text: str) -> bool:
    """Whether a text is the path of an image, by its suffix."""
    return text.strip().lower().endswith(tuple(IMAGE_SUFFIXES))


def _text(content: bytes, separator: str, has_header: bool | None) -> TableRows:
    stream = io.BytesIO(content)
    first = content[: content.find(b"\n") + 1] or content
    header = read_header(stream, separator or _affectnet_separator(first))
    columns, first_line = header.names, 2
    words = first.decode("utf-8", errors="replace").split()
    if has_header is None:
        has_header = not any(map(names_image, words if len(columns) == 1 else columns))
    if len(columns) == 1 and len(words) > 1 and not has_header:
        return _by_blanks(content, len(words))
    if not has_header:
        stream.seek(len(_BYTE_ORDER_MARK) if content.startswith(_BYTE_ORDER_MARK) else 0)
        first_line = 1
        columns = _without_header(columns)
    table = TableRows(columns, [], [], has_header, is_text=True)
    try:
        for row in read_rows(stream, header.separator, first_line):
            if len(row.fields) != len(columns):
                table.ragged.append(row.location)
                continue
            table.rows.append([text.decode("utf-8", errors="replace") for text in row.fields])
            table.where.append(row.location)
    except BrokenTextError as error:
        raise TableError(str(error)) from error
    return table


def _by_blanks(content: bytes, num_columns: int) -> TableRows:
    """A list without header line whose columns are separated by blanks (`images/1.jpg 3`)."""
    lines = enumerate(content.decode("utf-8-sig", errors="replace").splitlines(), 1)
    rows = [(f"line {number}", line.split()) for number, line in lines if line.strip()]
    return TableRows(
        [str(number) for number in range(1, num_columns + 1)],
        [row for _, row in rows if len(row) == num_columns],
        [where for where, row in rows if len(row) == num_columns],
        has_header=False,
        is_text=True,
        ragged=[where for where, row in rows if len(row) != num_columns],
    )


def _without_header(first: Sequence[str]) -> list[str]:
    """AffectNet's columns if the first row has them (its validation list lacks the header)."""
    if len(first) == len(_AFFECTNET) and first[_LANDMARKS].count(";") >= _MIN_LANDMARKS:
        return list(_AFFECTNET)
    return [str(number) for number in range(1, len(first) + 1)]


def _affectnet_separator(line: bytes) -> str:
    """A comma for a row of AffectNet's lists, whose landmarks contain more semicolons."""
    columns = line.decode("utf-8", errors="replace").split(",")
    return "," if _without_header(columns) == [*_AFFECTNET] else ""


def _json(content: bytes) -> TableRows:
    try:
        text = content.decode("utf-8-sig")
        if text.lstrip().startswith("["):
            records = json.loads(text)
            where = [f"entry {number}" for number in range(len(records))]
        else:
            lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
            records = [json.loads(line) for _, line in lines]
            where = [f"line {number}" for number, _ in lines]
    except ValueError as error:
        raise TableError(f"not readable as JSON ({error}); save one object a line") from error
    if not all(isinstance(record, dict) for record in records):
        raise TableError("expected JSON objects, one a line; save it so")
    columns = list(dict.fromkeys(key for record in records for key in record))
    rows = [[_plain(record.get(key)) for key in columns] for record in records]
    return TableRows([column.strip().lower() for column in columns], list(rows), where)


def _parquet(content: bytes) -> TableRows:
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyarrow.types as types

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        schema = file.schema_arrow
        names = [field.name for field in schema if not _has_bytes(field.type, types)]
        table = file.read(columns=names)
        # Damaged text is noticed only here.
        columns = [[_plain(value) for value in table.column(name).to_pylist()] for name in names]
    except (pa.ArrowException, OSError, ValueError) as error:
        raise TableError("the parquet file is truncated or damaged; copy it again") from error
    rows = list(zip(*columns, strict=True))
    where = [f"row {number}" for number in range(len(rows))]
    return TableRows([name.strip().lower() for name in names], list(rows), where)


def _has_bytes(kind: Any, types: Any) -> bool:
    if types.is_struct(kind):
        return any(_has_bytes(field.type, types) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _plain(value: Any) -> str:
    """A value as text; "" for a missing or nested one."""
    if value is None or isinstance(value, dict | list | bool | bytes):
        return ""
    text = str(value).strip()
    return "" if text == "nan" else text
