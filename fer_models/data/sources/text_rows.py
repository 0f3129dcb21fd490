"""Rows of a comma-separated file, read one by one with exact row and line numbers.

Own code because none of the readers at hand tells, per row, its line number, whether the file
ended inside it, and where a quote was left open, all of which the messages need.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from fer_models.data.sources.findings import Findings

_MAX_HEADER_BYTES = 1 << 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class OpenQuoteError(ValueError):
    """A quote is opened in a line and not closed in it; the message is ready to be shown."""

    def __init__(self, place: str) -> None:
        super().__init__(
            f"{place}: a quote is opened and not closed: the file is cut off or damaged; "
            "copy or download it again, or correct the line"
        )


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
    position: int
    """Bytes of the file read so far."""

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


def read_rows(stream: BinaryIO) -> Iterator[TextRow]:
    """The data rows that follow the header.

    Raises:
        OpenQuoteError: a quoted field isn't closed in its line (no field of these formats
            holds a line break, so the file is damaged).
    """
    row, position = 0, stream.tell()
    for line_number, line in enumerate(stream, start=2):
        position += len(line)
        text = line.strip()
        if text:
            fields = [field.strip() for field in _split(text, row, line_number)]
            yield TextRow(row, line_number, fields, not line.endswith(b"\n"), position)
            row += 1


def _split(text: bytes, row: int, line_number: int) -> list[bytes]:
    if b'"' not in text:
        return text.split(b",")
    try:
        # latin-1 maps every byte to one character and back.
        [fields] = csv.reader([text.decode("latin-1")], strict=True, skipinitialspace=True)
    except csv.Error as error:
        raise OpenQuoteError(f"row {row} (line {line_number})") from error
    return [field.encode("latin-1") for field in fields]
