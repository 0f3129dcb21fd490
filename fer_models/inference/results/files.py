"""Files of results: written atomically, CSV in UTF-8 and safe to open in a spreadsheet."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TextIO

import pandas as pd

from fer_models.errors import DataError
from fer_models.ingest.files.detection import is_image
from fer_models.output_file import check_output, replacing

# A spreadsheet evaluates a cell that begins with one of these as a formula (OWASP, "CSV
# Injection"; the last four are the full-width forms), even after leading blanks.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_DECIMALS = 6


def check_target(path: Path) -> Path:
    """The file that `path` refers to, with links resolved; its folders are made when it is written.

    Raises:
        DataError: it can't be written, or is named like a picture.
    """
    target = check_output(path)
    if is_image(target.name):
        raise DataError(
            f"{path}: expected a file to write, the file name is that of a picture; choose another "
            "file"
        )
    return target


def write_csv(
    table: pd.DataFrame,
    path: Path,
    *,
    header: bool = True,
    quoting: Literal[0, 2] = csv.QUOTE_MINIMAL,
    check: Callable[[Path], None] | None = None,
) -> None:
    """Write a table atomically, numbers with six decimals; an existing file is replaced.

    Args:
        table: what to write.
        path: as `check_target` returned it.
        header: whether the first line has the names of the columns.
        quoting: of the module `csv`.
        check: called with the complete file before it replaces `path`; an error keeps the old one.

    Raises:
        FerError: the file can't be written.
    """
    with replacing(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            append_csv(table, stream, header=header, quoting=quoting)
        if check is not None:
            check(temporary)


def append_csv(
    table: pd.DataFrame, stream: TextIO, *, header: bool, quoting: Literal[0, 2]
) -> None:
    """Write a table as CSV to an open file, numbers with six decimals."""
    rounded = table.astype(_doubles(table)).round(_DECIMALS)
    rounded.to_csv(stream, index=False, header=header, quoting=quoting, lineterminator="\n")


def safe_path(path: str) -> str:
    """The same path, spelt so that no spreadsheet evaluates it as a formula."""
    begins_blank = path[:1].isspace()
    return f"./{path}" if begins_blank or path.startswith(_FORMULA) else path


def _doubles(table: pd.DataFrame) -> dict[str, str]:
    return {name: "float64" for name in table.columns if table[name].dtype.kind == "f"}
