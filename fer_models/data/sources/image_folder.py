"""A folder or archive of face images: `<root>/<class>/*`, or `train/<class>/*`, `test/<class>/*`.

Only the folders' names say what an image is; see `layout`.
"""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_models.data.sources.archive import list_archive, member_contents
from fer_models.data.sources.decoding import DAMAGED_IN_ARCHIVE, Outcome, decode_in_order
from fer_models.data.sources.findings import Findings
from fer_models.data.sources.image_bytes import MAX_FILE_BYTES, too_many_bytes
from fer_models.data.sources.layout import Place, places_of
from fer_models.data.sources.opening import SourceFile
from fer_models.data.sources.source_table import SourceTable, TableBuilder
from fer_models.data.sources.visible import is_visible

_Identity = tuple[int, int]

_NO_FILE = "a pipe, socket or device, no image file; remove it"
_LEADS_NOWHERE = "a link that leads nowhere; mend or remove it"


def list_files(root: Path, findings: Findings) -> list[str]:
    """All files below the folder as sorted relative POSIX paths, without hidden ones.

    Links to folders are followed, but not in circles. A folder that can't be listed is noted.
    """
    found: list[str] = []
    todo: list[tuple[str, frozenset[_Identity]]] = [("", frozenset())]
    while todo:
        prefix, above = todo.pop()
        identity, entries = _listed(root / prefix, findings)
        if identity in above:
            continue  # a link to a folder that holds it
        for name, is_folder in entries:
            if is_folder:
                todo.append((f"{prefix}{name}/", above | {identity}))
            else:
                found.append(prefix + name)
    return sorted(found)


def read_image_folder(file: SourceFile, findings: Findings) -> SourceTable | None:
    """Read a folder of images; each becomes grey and 48 x 48.

    Args:
        file: the folder.
        findings: takes everything that is wrong with it.

    Returns:
        Its usable images in the order of their relative paths, or None when the folder's layout
        is none of the known ones.
    """
    files = list_files(file.path, findings)
    if findings.faults and not files:
        return None
    places = places_of(files, findings)
    if findings.faults:
        return None
    loaders = ((path, _loader(file.path / path)) for path in sorted(places))
    return _table(places, decode_in_order(loaders, len(places), file.name), findings)


def read_image_archive(file: SourceFile, findings: Findings) -> SourceTable | None:
    """Read a zip or tar archive of images as if it were the folder that was packed.

    Args:
        file: the archive, and as its member the folder in it ("" for all of it).
        findings: takes everything that is wrong with it.

    Returns:
        As `read_image_folder`.

    Raises:
        PackingError: the archive is damaged.
    """
    prefix = f"{file.member}/" if file.member else ""
    sizes = {
        member.name.removeprefix(prefix): member.size
        for member in list_archive(file.path).members
        if member.name.startswith(prefix)
    }
    places = places_of(sorted(sizes), findings)
    if findings.faults:
        return None

    def loaders() -> Iterator[tuple[str, Callable[[], bytes | str]]]:
        names = [prefix + path for path in places]
        for name, content in member_contents(file.path, names, MAX_FILE_BYTES):
            path = name.removeprefix(prefix)
            problem = too_many_bytes(sizes[path]) or DAMAGED_IN_ARCHIVE
            loaded = problem if content is None else content
            yield path, lambda loaded=loaded: loaded  # type: ignore[misc]

    return _table(places, decode_in_order(loaders(), len(places), file.name), findings)


def read_file(path: Path) -> bytes | str:
    """The bytes of an image file, or why they can't be had; never waits for a pipe."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return _NO_FILE
        return too_many_bytes(status.st_size) or path.read_bytes()
    except OSError as error:
        if path.is_symlink() and not path.exists():
            return _LEADS_NOWHERE
        return f"the file can't be read ({error.strerror}); give this user read access"


def _loader(path: Path) -> Callable[[], bytes | str]:
    return lambda: read_file(path)


def _table(
    places: dict[str, Place], decoded: Iterator[tuple[str, Outcome]], findings: Findings
) -> SourceTable:
    outcomes = dict(decoded)
    assert outcomes.keys() == places.keys()
    builder = TableBuilder()
    for row, path in enumerate(sorted(places)):
        outcome = outcomes[path]
        if isinstance(outcome, str):
            findings.set_aside(row, path, [outcome], path)
            continue
        place = places[path]
        builder.add_images(outcome[None])
        builder.add_fields(row, place.label, place.split, path)
    return builder.table(len(places))


def _listed(folder: Path, findings: Findings) -> tuple[_Identity, list[tuple[str, bool]]]:
    """What identifies a folder, and its visible entries: name, and whether it is a folder."""
    try:
        status = folder.stat()
        with os.scandir(folder) as entries:
            listed = [(entry.name, _is_folder(entry)) for entry in entries]
    except OSError as error:
        findings.refuse(f"{folder} can't be listed ({error.strerror}); give this user read access")
        return (0, 0), []
    return (status.st_dev, status.st_ino), [entry for entry in listed if is_visible(entry[0])]


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False
