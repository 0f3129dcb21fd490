"""The file of predictions: CSV in UTF-8, safe to open in a spreadsheet."""

import csv
import os
import uuid
from pathlib import Path

import pandas as pd

from fer_models.errors import DataError, FerError
from fer_models.ingest.files.file_names import is_image

# A spreadsheet takes a cell that begins with one of these for a formula (OWASP, "CSV Injection";
# the last four are the full-width forms), whatever blanks stand before it.
_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
_DECIMALS = 6


def check_target(path: Path) -> Path:
    """The file that predictions written to `path` end up in; links are followed.

    Raises:
        DataError: nothing can be written there.
    """
    target = Path(os.path.realpath(path))
    try:
        problem = _target_problem(target)
    except OSError as error:
        problem = f"this can't be one ({error.strerror})"
    if problem:
        raise DataError(f"{path}: expected a CSV file to write, {problem}; name another file")
    return target


def _target_problem(target: Path) -> str:
    if target.is_dir():
        return "it is a folder"
    if target.exists() and not target.is_file():
        return "it is a device or pipe"
    if is_image(target.name):
        return "by its name it is a picture"
    if not target.parent.is_dir():
        return f"but there is no folder {target.parent} (make it first)"
    if not os.access(target.parent, os.W_OK):
        return f"but this user may not write to {target.parent}"
    return ""


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV: whole or not at all, over a file that is there.

    Text is quoted, numbers have six decimals. A path that a spreadsheet would take for a formula
    gets `./` in front, which names the same file.

    Raises:
        FerError: the file can't be written.
    """
    safe = table.assign(path=table["path"].map(safe_path)).astype(_doubles(table)).round(_DECIMALS)
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            safe.to_csv(stream, index=False, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        temporary.replace(path)
    except OSError as error:
        raise FerError(
            f"{path}: can't write the predictions ({error.strerror}); free some space, or name "
            "another file"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def safe_path(path: str) -> str:
    """The same path in a spelling that no spreadsheet takes for a formula."""
    begins_blank = path[:1].isspace()
    return f"./{path}" if begins_blank or path.startswith(_FORMULA) else path


def _doubles(table: pd.DataFrame) -> dict[str, str]:
    return {name: "float64" for name in table.columns if table[name].dtype.kind == "f"}
