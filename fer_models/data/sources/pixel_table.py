"""FER2013 as a table of pixel lists: `fer2013.csv`, `icml_face_data.csv`, `train.csv`, `test.csv`.

Columns, in any order, blanks around names and values ignored: `pixels`, with `emotion` and
`Usage` (whole FER2013), with `emotion` only (challenge training set), or alone (unlabelled).
"""

from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from fer_models.data.sources.findings import Findings
from fer_models.data.sources.opening import open_source, size_bytes
from fer_models.data.sources.pixel_text import parse_pixels
from fer_models.data.sources.source_table import SourceTable, TableBuilder
from fer_models.data.sources.text_rows import (
    OpenQuoteError,
    TextRow,
    note_bad_row,
    read_header,
    read_rows,
)
from fer_models.data.sources.words import read_meaning, reason_of
from fer_models.progress import report

# The chunk's bytes and their handful of temporary arrays should stay in the processor's cache.
_ROWS_PER_CHUNK = 8
_REPORT_EVERY_BYTES = 8 << 20
_MEGABYTE = 1e6
_COLUMN_SETS = (
    {"pixels", "emotion", "usage"},
    {"pixels", "emotion"},
    {"pixels"},
)
_EXPECTED = "emotion,pixels,Usage or emotion,pixels or pixels"


@dataclass
class _Reader:
    columns: list[str]
    findings: Findings
    builder: TableBuilder = field(default_factory=TableBuilder)
    num_rows: int = 0

    def take(self, rows: list[TextRow]) -> None:
        whole = [row for row in rows if self._has_all_columns(row)]
        pixels = self.columns.index("pixels")
        images, bad = parse_pixels([row.fields[pixels] for row in whole])
        self.builder.add_images(images)
        for position, row in enumerate(whole):
            self._take_fields(row, bad.get(position))
        self.num_rows += len(rows)

    def _has_all_columns(self, row: TextRow) -> bool:
        if len(row.fields) == len(self.columns):
            return True
        problem = (
            f"expected {len(self.columns)} columns ({','.join(self.columns)}), "
            f"got {len(row.fields)}; correct or remove the row"
        )
        may_be_cut = len(row.fields) < len(self.columns)
        note_bad_row(row, [problem], may_be_cut, False, self.findings)
        return False

    def _take_fields(self, row: TextRow, pixel_problem: str | None) -> None:
        values = dict(zip(self.columns, row.fields, strict=True))
        meaning = read_meaning(values)
        problems = {**({"pixels": pixel_problem} if pixel_problem else {}), **meaning.problems}
        if problems:
            may_be_cut = self.columns[-1] in problems
            note_bad_row(row, [*problems.values()], may_be_cut, not pixel_problem, self.findings)
        if not pixel_problem:
            reason = reason_of(meaning.problems)
            self.builder.add_fields(row.row, meaning.label, meaning.split, reason=reason)


def read_pixel_table(path: Path, findings: Findings) -> SourceTable | None:
    """Read a table of pixel lists.

    Args:
        path: the file.
        findings: takes everything that is wrong with it.

    Returns:
        Its usable images, or None when the file as a whole can't be used.
    """
    total = size_bytes(path)
    with open_source(path) as stream:
        columns = read_header(stream)
        if not _are_columns(columns):
            findings.refuse(
                f"expected the columns {_EXPECTED}, got {','.join(c[:20] for c in columns[:12])}; "
                "correct the header line"
            )
            return None
        reader = _Reader(columns, findings)
        rows = read_rows(stream)
        reported = 0
        try:
            while chunk := list(islice(rows, _ROWS_PER_CHUNK)):
                reader.take(chunk)
                if chunk[-1].position - reported > _REPORT_EVERY_BYTES:
                    reported = chunk[-1].position
                    report("ingest", reported / _MEGABYTE, total / _MEGABYTE, "MB", path.name)
        except OpenQuoteError as error:
            findings.refuse(str(error))
            return None
    report("ingest", total / _MEGABYTE, total / _MEGABYTE, "MB", path.name)
    if not reader.num_rows:
        findings.refuse("expected rows after the header line, got none; copy the file again")
    return reader.builder.table(reader.num_rows, has_usage="usage" in columns)


def _are_columns(columns: list[str]) -> bool:
    return set(columns) in _COLUMN_SETS and len(set(columns)) == len(columns)
