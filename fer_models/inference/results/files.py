"""Files of results: written atomically, CSV in UTF-8 and safe to open in a spreadsheet."""

import csv
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TextIO

import pandas as pd

from fer_models.errors import DataError, FerError
from fer_models.ingest.files.detection import is_image

# A spreadsheet evaluates a cell that begins with one of these as a formula (OWASP, "CSV
# Injection"; the last four are the full-width forms), even after leading blanks.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_DECIMALS = 6


def check_target(path: Path) -> Path:
    """The file that `path` refers to, with links resolved.

    Raises:
        DataError: it can't be written.
    """
    target = Path(os.path.realpath(path))
    try:
        problem = _target_problem(target)
    except OSError as error:
        problem = f"the path can't be used ({error.strerror})"
    if problem:
        raise DataError(f"{path}: expected a file to write, {problem}; choose another file")
    return target


def _target_problem(target: Path) -> str:
    if target.is_dir():
        return "it is a folder"
    if target.exists() and not target.is_file():
        return "it is a device or pipe"
    if is_image(target.name):
        return "the file name is that of a picture"
    if not target.parent.is_dir():
        return f"the folder {target.parent} does not exist (create it first)"
    if not os.access(target.parent, os.W_OK):
        return f"this user may not write to {target.parent}"
    return ""


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


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, which it replaces at the end; an error keeps the old one.

    Raises:
        FerError: the file can't be written.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise FerError(
            f"{path}: can't write the predictions ({error.strerror}); free some space, or choose "
            "another file"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def safe_path(path: str) -> str:
    """The same path, spelt so that no spreadsheet evaluates it as a formula."""
    begins_blank = path[:1].isspace()
    return f"./{path}" if begins_blank or path.startswith(_FORMULA) else path


def _doubles(table: pd.DataFrame) -> dict[str, str]:
    return {name: "float64" for name in table.columns if table[name].dtype.kind == "f"}
