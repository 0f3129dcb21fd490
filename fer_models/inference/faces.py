"""Find pictures of single faces and decode them in batches.

N faces; images are uint8 in the format of the model, by default N x 48 x 48.
"""

import errno
import functools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.ingest.files.detection import is_utf8
from fer_models.ingest.files.folder import list_files, read_file
from fer_models.ingest.files.image_decoding import PixelImage, decode_image, quiet_decoding
from fer_models.ingest.findings import Findings
from fer_models.processes import num_cores

_FILES_PER_TASK = 32
# Decoding one image may take hundreds of megabytes.
_MAX_THREADS = 8
_BROKEN_LINK = (errno.ENOENT, errno.ELOOP)
_NOT_UTF8 = "expected a file name in UTF-8; rename it"
_EMPTY_FOLDER = "the folder contains no pictures"


@dataclass(frozen=True)
class Skipped:
    """A picture that can't be read, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True)
class Pictures:
    """The files to read, in order, and those skipped already."""

    paths: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Faces:
    """A batch: paths and images (uint8), and the pictures that can't be read."""

    paths: tuple[str, ...]
    images: Images
    skipped: tuple[Skipped, ...]


def find_pictures(paths: Sequence[str]) -> Pictures:
    """The given files and all files below the given folders, without duplicates.

    Folders are walked in sorted order; hidden files and folders in them are ignored.

    Raises:
        DataError: lists all paths that don't exist or can't be read.
    """
    found: list[str] = []
    skipped: list[Skipped] = []
    problems: list[str] = []
    for path in paths:
        problem = _path_problem(path)
        if problem:
            problems.append(problem)
        elif Path(path).is_dir():
            files = _files_below(path, problems)
            found += files
            if not files:
                skipped.append(Skipped(path, _EMPTY_FOLDER))
        else:
            found.append(str(Path(path)))
    if problems:
        raise DataError("expected pictures and folders of pictures", problems)
    unique = dict.fromkeys(found)
    skipped += [Skipped(path, _NOT_UTF8) for path in unique if not is_utf8(path)]
    return Pictures(tuple(path for path in unique if is_utf8(path)), tuple(skipped))


def read_faces(
    paths: Sequence[str], batch_size: int, target: ImageFormat = THUMBNAIL
) -> Iterator[Faces]:
    """Decode pictures on all cores, `batch_size` of them at a time; see `decode_image`."""
    decode_group = functools.partial(_decode_group, target=target)
    with ThreadPoolExecutor(min(num_cores(), _MAX_THREADS)) as pool:
        for start in range(0, len(paths), batch_size):
            batch = paths[start : start + batch_size]
            # One task per small image would cost more than its decoding.
            groups = [batch[i : i + _FILES_PER_TASK] for i in range(0, len(batch), _FILES_PER_TASK)]
            with quiet_decoding():
                outcomes = [one for group in pool.map(decode_group, groups) for one in group]
            yield _faces(batch, outcomes, target)


def printable(text: str) -> str:
    """The text with control and non-printable characters escaped, such as in file names."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _path_problem(path: str) -> str:
    if not path:
        return "expected a path, got an empty one; remove it"
    try:
        Path(path).stat()
    except PermissionError:
        return f"{printable(path)}: permission denied; give this user read access"
    except (OSError, ValueError) as error:
        is_link = isinstance(error, OSError) and error.errno in _BROKEN_LINK
        if is_link and Path(path).is_symlink():
            return f"{printable(path)}: broken link; fix or remove it"
        return f"{printable(path)}: no such file or folder; check the spelling"
    return ""


def _files_below(folder: str, problems: list[str]) -> list[str]:
    findings = Findings(folder)
    files = list_files(Path(folder), findings)
    problems += [printable(fault) for fault in findings.faults]
    return [str(Path(folder) / file) for file in files]


def _decode_group(paths: Sequence[str], target: ImageFormat) -> list[PixelImage | str]:
    return [_decode(path, target) for path in paths]


def _decode(path: str, target: ImageFormat) -> PixelImage | str:
    data = read_file(path)
    return data if isinstance(data, str) else decode_image(data, target=target)


def _faces(
    paths: Sequence[str], outcomes: Sequence[PixelImage | str], target: ImageFormat
) -> Faces:
    read: list[str] = []
    images: list[PixelImage] = []
    skipped: list[Skipped] = []
    for path, outcome in zip(paths, outcomes, strict=True):
        if isinstance(outcome, str):
            skipped.append(Skipped(path, outcome))
        else:
            read.append(path)
            images.append(outcome)
    stacked = np.stack(images) if images else target.none()
    return Faces(tuple(read), stacked, tuple(skipped))
