"""Files below a folder: their paths and contents."""

import io
import os
import stat
from pathlib import Path

from fer_models.ingest.files.detection import is_image, is_visible
from fer_models.ingest.files.image_pixels import too_many_bytes
from fer_models.ingest.findings import Findings

_Identity = tuple[int, int]

_NOT_A_FILE = "a pipe, socket or device, no image file; remove it"
_BROKEN_LINK = "a link that leads nowhere; repair or remove it"


def list_files(root: Path, findings: Findings) -> list[str]:
    """All files below the folder as sorted relative POSIX paths, without hidden ones.

    Links to folders are followed, cycles are not. A folder that can't be listed is a fault.
    """
    found: list[str] = []
    pending: list[tuple[str, frozenset[_Identity]]] = [("", frozenset())]
    while pending:
        prefix, parents = pending.pop()
        identity, entries = _listed(root / prefix, findings)
        if identity in parents:
            continue  # a link to a folder that contains it
        for name, is_folder in entries:
            if is_folder:
                pending.append((f"{prefix}{name}/", parents | {identity}))
            else:
                found.append(prefix + name)
    return sorted(found)


def has_only_tables(root: Path) -> bool:
    """Whether a folder contains parquet files and no images: shards of one table.

    It is walked only up to its first image.
    """
    found = False
    for _, folders, names in os.walk(root):
        folders[:] = filter(is_visible, folders)
        if any(map(is_image, names)):
            return False
        found = found or any(map(is_shard, names))
    # `os.walk` does not follow links to folders.
    return found and not any(map(is_image, list_files(root, Findings(""))))


def is_shard(name: str) -> bool:
    """Whether a file is a visible parquet file, by its name."""
    return is_visible(name) and name.lower().endswith(".parquet")


def read_file(path: str) -> bytes | str:
    """The bytes of an image file, or why it can't be read; never blocks on a pipe."""
    try:
        # Not pathlib, which takes as long as the system calls.
        status = os.stat(path)  # noqa: PTH116
        if not stat.S_ISREG(status.st_mode):
            return _NOT_A_FILE
        if problem := too_many_bytes(status.st_size):
            return problem
        with io.FileIO(path) as file:
            return file.readall()
    except OSError as error:
        if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114
            return _BROKEN_LINK
        return f"the file can't be read ({error.strerror}); give this user read access"


def _listed(folder: Path, findings: Findings) -> tuple[_Identity, list[tuple[str, bool]]]:
    """A folder's identity, and its visible entries: name, and whether it is a folder."""
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            listed = [(entry.name, _is_folder(entry)) for entry in entries]
    except OSError as error:
        findings.add_fault(
            f"{folder} can't be listed ({error.strerror}); give this user read access"
        )
        return (0, 0), []
    return (status.st_dev, status.st_ino), [entry for entry in listed if is_visible(entry[0])]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
