"""Rows of a csv file, also with another separator, read one by one with row and line numbers.

Own code because the messages need, for each row, its line number, whether the file ends inside it,
and where a quote was left open; neither csv nor pandas reports all of these.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from fer_models.ingest.findings import Findings

_MAX_LINE_BYTES = 1 << 20
_MAX_BLANK_LINES = 100_000
_SHOWN_CHARACTERS = 20


class BrokenTextError(ValueError):
    """The file as a whole is damaged; the message is meant for the user."""


@dataclass(frozen=True)
class TextRow:
    """One data row: its stripped fields and its position."""

    row: int
    """From 0, not counting the header and blank lines."""
    line: int
    """From 1, counting every line of the file."""
    fields: list[bytes]
    is_last_open: bool
    """The last row, without a line end: the file may be truncated inside it."""

    @property
    def location(self) -> str:
        """How messages name the row."""
        return f"row {self.row} (line {self.line})"


def record_bad_row(
    row: TextRow, problems: Sequence[str], may_be_cut: bool, has_image: bool, findings: Findings
) -> None:
    """Record a bad row, or a truncated file if the file ends in this row and `may_be_cut`.

    Args:
        row: the row.
        problems: all its problems.
        may_be_cut: whether truncation may explain them: it leaves the first fields intact.
        has_image: whether its image can be used.
        findings: receives the record.
    """
    if row.is_last_open and may_be_cut:
        findings.add_fault(
            f"{row.location}, the last one, is incomplete and has no line end: the file is "
            f"truncated; copy or download it again ({'; '.join(problems)})"
        )
    else:
        findings.add_bad_row(row.row, row.location, problems, has_image=has_image)


def shown_name(name: str) -> str:
    """A column name for a message: shortened, and escaped if it contains control characters."""
    shown = name[:_SHOWN_CHARACTERS]
    return shown if shown.isprintable() else repr(shown)


def read_rows(stream: BinaryIO, separator: str = ",", first_line: int = 2) -> Iterator[TextRow]:
    """Yield the data rows after the header.

    Args:
        stream: after the header line.
        separator: one character.
        first_line: number of the next line, from 1.

    Raises:
        BrokenTextError: a line is far too long, most lines are blank, or a quoted field does not
            end in its line (no field of these formats contains a line break).
    """
    row = 0
    blanks = b" \r\n\f\v" if separator == "\t" else None  # an empty last field ends in a tab
    lines = iter(lambda: stream.readline(_MAX_LINE_BYTES), b"")
    for line_number, line in enumerate(lines, start=first_line):
        if len(line) == _MAX_LINE_BYTES:
            raise BrokenTextError(
                f"line {line_number} is longer than {_MAX_LINE_BYTES:,} bytes (a row of pixels has "
                "at most 9,500): line ends are missing, or it is another kind of file; save it "
                "with LF or CRLF line ends"
            )
        text = line.strip(blanks)
        if text:
            fields = [field.strip() for field in _split(text, separator, row, line_number)]
            yield TextRow(row, line_number, fields, not line.endswith(b"\n"))
            row += 1
        elif line_number - row > _MAX_BLANK_LINES:
            raise BrokenTextError(
                f"more than {_MAX_BLANK_LINES:,} blank lines: the file is damaged or not a table; "
                "copy or download it again"
            )


def _split(text: bytes, separator: str, row: int, line_number: int) -> list[bytes]:
    if b'"' not in text:
        return text.split(separator.encode())
    try:
        # latin-1 maps every byte to one character and back.
        [fields] = csv.reader(
            [text.decode("latin-1")], delimiter=separator, strict=True, skipinitialspace=True
        )
    except csv.Error as error:
        raise BrokenTextError(
            f"row {row} (line {line_number}): a quote is opened and not closed: the file is "
            "truncated or damaged; copy or download it again, or correct the line"
        ) from error
    return [field.encode("latin-1") for field in fields]
