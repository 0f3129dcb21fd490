"""FER2013 as a csv of pixel lists: `fer2013.csv`, `icml_face_data.csv`, `train.csv`, `test.csv`.

Columns, in any order and ignoring blanks around names and values: `pixels`, with `emotion` and
`Usage` (complete FER2013), with `emotion` only (challenge training set), or alone (unlabelled).
A column of row ids (`id`, `image_id`, `row`, `index`, or pandas' unnamed first column) is allowed.
"""

from dataclasses import dataclass, field
from itertools import islice

from fer_models.ingest.files.detection import read_header
from fer_models.ingest.files.streams import SourceFile, SourceStream, report_reading
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.csv_rows import (
    BrokenTextError,
    TextRow,
    read_rows,
    record_bad_row,
    shown_name,
)
from fer_models.ingest.formats.fields import RowIds, parse_fields, reason_of
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.formats.pixel_text import parse_pixels
from fer_models.ingest.source_table import SourceTable, TableBuilder

# A chunk's bytes and its few temporary arrays should fit the processor's cache.
_ROWS_PER_CHUNK = 8
_REPORT_EVERY_BYTES = 8 << 20
_ID_COLUMNS = ("id", "image_id", "row", "index", "unnamed: 0")
_COLUMN_SETS = (
    {"pixels", "emotion", "usage"},
    {"pixels", "emotion"},
    {"pixels"},
)
_MAX_SHOWN = 12
_EXPECTED = "emotion,pixels,Usage or emotion,pixels or pixels"


@dataclass
class _Reader:
    columns: list[str]
    findings: Findings
    labels: LabelReader
    builder: TableBuilder = field(default_factory=TableBuilder)
    row_ids: RowIds = field(default_factory=RowIds)
    num_rows: int = 0

    def add_rows(self, rows: list[TextRow]) -> None:
        complete = [row for row in rows if self._has_all_columns(row)]
        pixels = self.columns.index("pixels")
        images, bad = parse_pixels([row.fields[pixels] for row in complete])
        self.builder.add_images(images)
        for position, row in enumerate(complete):
            self._add_fields(row, bad.get(position))
        self.num_rows += len(rows)

    def _has_all_columns(self, row: TextRow) -> bool:
        if len(row.fields) == len(self.columns):
            return True
        problem = (
            f"expected {len(self.columns)} columns ({','.join(self.columns)}), "
            f"got {len(row.fields)}; correct or remove the row"
        )
        may_be_cut = len(row.fields) < len(self.columns)
        record_bad_row(row, [problem], may_be_cut, False, self.findings)
        return False

    def _add_fields(self, row: TextRow, pixel_problem: str | None) -> None:
        values = dict(zip(self.columns, row.fields, strict=True))
        meaning = parse_fields(values, self.labels)
        problems = dict(meaning.problems)
        if "id" in values and (problem := self.row_ids.problem(values["id"], row.row)):
            problems = {"id": problem, **problems}
        reason = reason_of(problems)
        if pixel_problem:
            problems = {"pixels": pixel_problem, **problems}
        if problems:
            may_be_cut = self.columns[-1] in problems
            record_bad_row(row, [*problems.values()], may_be_cut, not pixel_problem, self.findings)
        if not pixel_problem:
            self.builder.add_fields(row.row, meaning.label, meaning.split, reason=reason)


def read_pixel_table(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a table of pixel lists.

    Args:
        file: the file.
        findings: receives all problems.
        settings: what the user says of the labels; without, numbers are FER2013's.

    Returns:
        Its usable images, or None if the file as a whole can't be used.
    """
    with file.open() as stream:
        names = read_header(stream)
        columns = _known_columns(names)
        if columns is None:
            findings.add_fault(
                f"expected the columns {_EXPECTED}, got "
                f"{','.join(shown_name(name) for name in names[:_MAX_SHOWN])}; "
                f"{_header_remedy(names)}"
            )
            return None
        reader = _Reader(columns, findings, LabelReader(settings, proven="fer2013"))
        try:
            _read_all(reader, stream, file.name)
        except BrokenTextError as error:
            findings.add_fault(str(error))
            return None
    if not reader.num_rows:
        findings.add_fault("expected rows after the header line, got none; copy the file again")
    reader.labels.finish(findings)
    return reader.labels.named(reader.builder.table(reader.num_rows, has_usage="usage" in columns))


def _read_all(reader: _Reader, stream: SourceStream, name: str) -> None:
    rows = read_rows(stream)
    reported = 0
    while chunk := list(islice(rows, _ROWS_PER_CHUNK)):
        reader.add_rows(chunk)
        if stream.done_bytes - reported > _REPORT_EVERY_BYTES:
            reported = stream.done_bytes
            report_reading(stream, name)
    report_reading(stream, name)


def _header_remedy(names: list[str]) -> str:
    if any("\r" in name for name in names):
        return "its line ends are CR only: save it with LF or CRLF line ends"
    return "correct the header line"


def _known_columns(names: list[str]) -> list[str] | None:
    """The names, with the column of row ids renamed to `id`; None for an unknown set of columns."""
    columns = ["id" if name in _ID_COLUMNS else name for name in names]
    if columns[0] == "":
        columns[0] = "id"
    is_known = {name for name in columns if name != "id"} in _COLUMN_SETS
    return columns if is_known and len(set(columns)) == len(columns) else None
