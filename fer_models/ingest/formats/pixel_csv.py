"""A csv of pixel lists: `fer2013.csv`, `icml_face_data.csv`, `train.csv`, `test.csv`, or similar.

Columns, in any order and ignoring blanks around names and values: `pixels`; labels and split if
there are any; a column of row ids (`id`, `image_id`, `row`, `index`, or pandas' unnamed first
column). Others are ignored. The separator is that of the header line.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from fer_models.classes.names import emotion_of
from fer_models.ingest.files.detection import read_header
from fer_models.ingest.files.image_decoding import convert_all
from fer_models.ingest.files.streams import SourceFile, SourceStream, report_reading
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.columns import (
    ID,
    LABEL,
    NAME,
    PIXELS,
    SPLIT,
    ColumnError,
    PixelColumns,
    check_slice_columns,
    pixel_columns,
)
from fer_models.ingest.formats.csv_rows import (
    BrokenTextError,
    TextRow,
    read_rows,
    record_bad_row,
)
from fer_models.ingest.formats.fields import RowIds, parse_fields, reason_of
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.formats.pixel_text import parse_pixels, plain_pixels, side_of
from fer_models.ingest.source_table import SourceTable, TableBuilder

# A chunk's bytes and its few temporary arrays should fit the processor's cache.
_ROWS_PER_CHUNK = 8
_REPORT_EVERY_BYTES = 8 << 20


@dataclass
class _Reader:
    columns: PixelColumns
    names: Sequence[str]
    """Of the columns, in lower case."""
    findings: Findings
    labels: LabelReader
    row_ids: RowIds = field(default_factory=RowIds)
    num_rows: int = 0
    side: int = 0
    """Of the images in pixels; the first rows decide it."""
    contradictions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Collect images of the wanted format."""
        self.builder = TableBuilder(self.labels.settings.image_format)
        wanted = self.labels.settings.slice_columns
        self.kept = [(self.names.index(name), name) for name in wanted if name in self.names]

    def add_rows(self, rows: list[TextRow]) -> None:
        complete = [row for row in rows if self._has_all_columns(row)]
        pixels = self.columns.roles.index(PIXELS)
        texts = [plain_pixels(row.fields[pixels]) for row in complete]
        self.side = self.side or side_of(texts)
        images, bad = parse_pixels(texts, self.side)
        self.builder.add_images(convert_all(images, self.labels.settings.image_format))
        for position, row in enumerate(complete):
            self._add_fields(row, bad.get(position))
        self.num_rows += len(rows)

    def _has_all_columns(self, row: TextRow) -> bool:
        roles = self.columns.roles
        if len(row.fields) == len(roles):
            return True
        problem = (
            f"expected {len(roles)} columns ({','.join(map(self._shown, roles))}), "
            f"got {len(row.fields)}; correct or remove the row"
        )
        may_be_cut = len(row.fields) < len(roles)
        record_bad_row(row, [problem], may_be_cut, False, self.findings)
        return False

    def _shown(self, role: str) -> str:
        shown = {LABEL: self.columns.label, NAME: self.columns.name}
        return shown.get(role, role.removeprefix("ignored "))

    def _add_fields(self, row: TextRow, pixel_problem: str | None) -> None:
        values = dict(zip(self.columns.roles, row.fields, strict=True))
        meaning = parse_fields(values, self.labels)
        problems = dict(meaning.problems)
        if ID in values and (problem := self.row_ids.problem(values[ID], row.row)):
            problems = {ID: problem, **problems}
        if NAME in values and meaning.label >= 0:
            self._compare(row, values, self.labels.names[meaning.label])
        reason = reason_of(problems)
        if pixel_problem:
            problems = {PIXELS: pixel_problem, **problems}
        if problems:
            may_be_cut = self.columns.roles[-1] in problems
            record_bad_row(row, [*problems.values()], may_be_cut, not pixel_problem, self.findings)
        if not pixel_problem:
            columns = {
                name: row.fields[position].decode("utf-8", errors="replace").strip()
                for position, name in self.kept
            }
            self.builder.add_fields(
                row.row, meaning.label, meaning.split, reason=reason, columns=columns
            )

    def _compare(self, row: TextRow, values: dict[str, bytes], label: str) -> None:
        name = values[NAME].decode("utf-8", errors="replace")
        if emotion_of(name) not in ("", label):
            number = values[LABEL].decode("utf-8", errors="replace")
            self.contradictions.append(
                f"{row.location}: {number[:30]} means {label}, the name is {name[:30]}"
            )

    def finish(self) -> SourceTable:
        """The table, after the problems and notes of all rows."""
        columns, findings = self.columns, self.findings
        if not self.num_rows:
            findings.add_fault("expected rows after the header line, got none; copy the file again")
        if self.contradictions:
            findings.add_fault(
                f"the columns {columns.label} and {columns.name} contradict each other in "
                f"{len(self.contradictions)} rows, such as {self.contradictions[0]}; set "
                f"data.label_scheme to the numbering, or read the names with "
                f"data.table.label={columns.name}"
            )
        if columns.ignored or columns.name:
            names = [*filter(None, columns.ignored), *([columns.name] if columns.name else [])]
            names = [name for name in names if name not in self.labels.settings.slice_columns]
            if names:
                findings.add_note(f"columns ignored: {', '.join(names)}")
        target = self.labels.settings.image_format
        if self.side not in (0, target.size_px):
            findings.add_note(
                f"images of {self.side} x {self.side} were resized to {target.size_px} x "
                f"{target.size_px} (data.image_size_px={self.side} keeps them)"
            )
        self.labels.finish(findings)
        return self.labels.named(
            self.builder.table(self.num_rows, has_usage=SPLIT in columns.roles)
        )


def read_pixel_table(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a table of pixel lists.

    Args:
        file: the file.
        findings: receives all problems.
        settings: what the user says of the labels and columns; without, the numbers of a column
            `emotion` are FER2013's, and those of another column are not read.

    Returns:
        Its usable images, or None if the file as a whole can't be used.
    """
    with file.open() as stream:
        header = read_header(stream, settings.table.separator)
        try:
            columns = pixel_columns(header.names, settings.table)
            if not settings.has_several_sources:
                check_slice_columns(header.names, settings.slice_columns)
        except ColumnError as error:
            findings.add_fault(str(error))
            return None
        reader = _Reader(
            columns, header.names, findings, LabelReader(settings, proven=columns.proven)
        )
        try:
            _read_all(reader, stream, header.separator, file.name)
        except BrokenTextError as error:
            findings.add_fault(str(error))
            return None
    return reader.finish()


def table_side(file: SourceFile, settings: LabelSettings = DEFAULT_LABELS) -> int:
    """The side of the images of a table by its first rows; 0 if it can't be read."""
    with file.open() as stream:
        header = read_header(stream, settings.table.separator)
        try:
            columns = pixel_columns(header.names, settings.table)
            rows = list(islice(read_rows(stream, header.separator), _ROWS_PER_CHUNK))
        except (ColumnError, BrokenTextError):
            return 0
    position = columns.roles.index(PIXELS)
    texts = [row.fields[position] for row in rows if len(row.fields) > position]
    return side_of(texts) if texts else 0


def _read_all(reader: _Reader, stream: SourceStream, separator: str, name: str) -> None:
    rows = read_rows(stream, separator)
    reported = 0
    while chunk := list(islice(rows, _ROWS_PER_CHUNK)):
        reader.add_rows(chunk)
        if stream.done_bytes - reported > _REPORT_EVERY_BYTES:
            reported = stream.done_bytes
            report_reading(stream, name)
    report_reading(stream, name)
