"""Rows of a comma-separated file, read one by one with exact row and line numbers.

Own code because none of the readers at hand tells, per row, its line number, whether the file
ended inside it, and where a quote was left open, all of which the messages need.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from fer_models.ingest.findings import Findings

_MAX_HEADER_BYTES = 1 << 16
_MAX_LINE_BYTES = 1 << 20
_MAX_BLANK_LINES = 100_000
_SHOWN_CHARACTERS = 20
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class BrokenTextError(ValueError):
    """The text as a whole is damaged; the message is ready to be shown."""


@dataclass(frozen=True)
class TextRow:
    """One data row: its fields without surrounding blanks, and where it stands."""

    row: int
    """From 0; the header and blank lines don't count."""
    line: int
    """From 1; every line of the file counts."""
    fields: list[bytes]
    is_last_open: bool
    """It is the last one and no line end follows: the file may have been cut inside it."""

    @property
    def place(self) -> str:
        """How messages name the row."""
        return f"row {self.row} (line {self.line})"


def note_bad_row(
    row: TextRow, problems: Sequence[str], may_be_cut: bool, has_image: bool, findings: Findings
) -> None:
    """Note a bad row, or a cut file when `may_be_cut` and the file ends in this row.

    Args:
        row: the row.
        problems: all that is wrong with it.
        may_be_cut: whether a cut could have caused it: a cut leaves the first fields whole.
        has_image: whether its image can be used.
        findings: where it is noted.
    """
    if row.is_last_open and may_be_cut:
        findings.refuse(
            f"{row.place}, the last one, is not whole and no line end follows: the file is cut off "
            f"there; copy or download it again ({'; '.join(problems)})"
        )
    else:
        findings.set_aside(row.row, row.place, problems, has_image=has_image)


def read_header(stream: BinaryIO) -> list[str]:
    """Column names of the first line, without blanks around them, in lower case."""
    line = stream.readline(_MAX_HEADER_BYTES).removeprefix(_BYTE_ORDER_MARK)
    names = line.decode("utf-8", errors="replace").strip("\r\n").split(",")
    return [name.strip().strip('"').strip().lower() for name in names]


def shown_name(name: str) -> str:
    """A column name for a message: short, and without characters that a terminal obeys."""
    shown = name[:_SHOWN_CHARACTERS]
    return shown if shown.isprintable() else repr(shown)


def read_rows(stream: BinaryIO) -> Iterator[TextRow]:
    """The data rows that follow the header.

    Raises:
        BrokenTextError: a line has no end in sight, most are blank, or a quoted field isn't
            closed in its line (no field of these formats holds a line break).
    """
    row = 0
    lines = iter(lambda: stream.readline(_MAX_LINE_BYTES), b"")
    for line_number, line in enumerate(lines, start=2):
        if len(line) == _MAX_LINE_BYTES:
            raise BrokenTextError(
                f"line {line_number} is longer than {_MAX_LINE_BYTES:,} bytes, a row of pixels "
                "takes up to 9,500: line ends are missing or it is another kind of file; save it "
                "with LF or CRLF line ends"
            )
        text = line.strip()
        if text:
            fields = [field.strip() for field in _split(text, row, line_number)]
            yield TextRow(row, line_number, fields, not line.endswith(b"\n"))
            row += 1
        elif line_number - row > _MAX_BLANK_LINES:
            raise BrokenTextError(
                f"more than {_MAX_BLANK_LINES:,} lines are blank: the file is damaged or no table; "
                "copy or download it again"
            )


def _split(text: bytes, row: int, line_number: int) -> list[bytes]:
    if b'"' not in text:
        return text.split(b",")
    try:
        # latin-1 maps every byte to one character and back.
        [fields] = csv.reader([text.decode("latin-1")], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise BrokenTextError(
            f"row {row} (line {line_number}): a quote is opened and not closed: the file is cut "
            "off or damaged; copy or download it again, or correct the line"
        ) from error
    return [field.encode("latin-1") for field in fields]
