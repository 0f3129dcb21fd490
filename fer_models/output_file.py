"""Files that people name for results: checked before the work, written whole or not at all."""

import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from pathlib import Path

from fer_models.errors import DataError, FerError

HTML_SUFFIXES = (".html", ".htm")


def check_output(path: Path, suffixes: Sequence[str] = ()) -> Path:
    """The file that `path` refers to, with links resolved.

    Folders that are missing are no problem: they are made when the file is written.

    Args:
        path: as a person named it.
        suffixes: endings of the format that is written, in lower case; empty: any name will do.

    Raises:
        DataError: it can't be written, or has another ending; lists all problems.
    """
    target = Path(os.path.realpath(path))
    problems = []
    if suffixes and not target.name.lower().endswith(tuple(suffixes)):
        problems.append(f"its name does not end with {' or '.join(suffixes)}")
    try:
        problems += filter(None, [_file_problem(target)])
    except OSError as error:
        problems.append(f"the path can't be used ({error.strerror})")
    if problems:
        raise DataError(
            f"{path}: expected a file to write, {' and '.join(problems)}; choose another file"
        )
    return target


def _file_problem(target: Path) -> str:
    if target.is_dir():
        return "it is a folder"
    if target.exists() and not target.is_file():
        return "it is a device or pipe"
    return place_problem(target)


def place_problem(target: Path) -> str:
    """Why nothing new can be written at an absolute path; "" if it can be."""
    above = next(folder for folder in target.parents if folder.exists())
    if not above.is_dir():
        return f"{above} is a file, not a folder"
    return "" if os.access(above, os.W_OK) else f"this user may not write to {above}"


@contextmanager
def made_folders(target: Path) -> Iterator[None]:
    """Make the missing folders above a path; an error in the block removes them while empty.

    Raises:
        OSError: a folder can't be made.
    """
    missing = list(takewhile(lambda folder: not folder.exists(), target.parents))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):  # something else was written there
                folder.rmdir()
        raise


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, which it replaces at the end; an error keeps the old one.

    Args:
        path: as `check_output` returned it.

    Raises:
        FerError: the file can't be written.

    Example:
        with replacing(check_output(Path("plots/loss.png"))) as temporary:
            figure.savefig(temporary, format="png")
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}")
    try:
        with made_folders(path):
            try:
                yield temporary
                temporary.replace(path)
            finally:
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise FerError(
            f"{path}: can't write the file ({error.strerror}); free some space, or choose another "
            "file"
        ) from error


def write_output(path: Path, content: str | bytes) -> None:
    """Write a text in UTF-8, or bytes; an existing file is replaced.

    Raises:
        FerError: the file can't be written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
