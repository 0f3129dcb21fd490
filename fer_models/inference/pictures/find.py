"""Find the pictures that a person names: files, folders, patterns, archives, standard input."""

import errno
import glob
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from fer_models.errors import DataError
from fer_models.inference.picture import Picture
from fer_models.inference.pictures.kinds import is_archive, is_picture_name, other_kind
from fer_models.inference.pictures.stdin import STDIN, read_stdin
from fer_models.ingest.archive_member import SEPARATOR
from fer_models.ingest.files.archive import list_archive
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import is_utf8
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.files.remote import is_url
from fer_models.ingest.findings import Findings
from fer_models.redaction import without_credentials
from fer_models.user_input import printable, user_path

_BROKEN_LINK = (errno.ENOENT, errno.ELOOP)
_NOT_UTF8 = "expected a file name in UTF-8; rename it"
_EMPTY_FOLDER = "the folder contains no pictures"
_EMPTY_ARCHIVE = "the archive contains no pictures"


@dataclass(frozen=True)
class ArchivePictures:
    """The pictures of one archive, by their names in it."""

    path: str
    members: tuple[str, ...]


PictureSource = str | ArchivePictures | Picture
"""The path of a file, pictures of an archive, or a picture that is known already."""


@dataclass(frozen=True)
class FoundPictures:
    """Where the pictures are, in order. Those that can't be used are there with a problem."""

    sources: tuple[PictureSource, ...]

    def __len__(self) -> int:
        """Number of pictures."""
        return sum(
            len(source.members) if isinstance(source, ArchivePictures) else 1
            for source in self.sources
        )


def find_pictures(paths: Sequence[str], hint: str = "") -> FoundPictures:
    """All pictures at the given paths, each once.

    Folders are walked in sorted order, without hidden files. `*`, `?` and `[...]` are patterns
    unless a file has that name; `**` matches folders of any depth. Of a zip or tar archive
    (`faces.zip`, or `faces.zip::train` for a folder of it) all pictures count. `-` is a picture on
    standard input.

    Args:
        paths: as the person wrote them.
        hint: how videos are read here, for the message about one.

    Raises:
        DataError: lists all paths that don't exist or can't be read.
    """
    found: dict[Hashable, PictureSource] = {}
    archived: set[tuple[str, str]] = set()
    problems: list[str] = []
    # Only once: standard input, named twice, would be empty the second time.
    for path in dict.fromkeys(paths):
        for source in _sources(path, problems, hint):
            new = _without_known(source, archived)
            if new is not None:
                found.setdefault(_key(new), new)
    if problems:
        raise DataError("expected pictures, and folders or archives of pictures", problems)
    return FoundPictures(tuple(found.values()))


def _sources(named: str, problems: list[str], hint: str) -> Sequence[PictureSource]:
    if not named:
        problems.append("expected a path, got an empty one; remove it")
        return ()
    if named == STDIN:
        return (read_stdin(problems),)
    if is_url(named):
        problems.append(
            f"{printable(without_credentials(named))}: a URL; download it, then name the file"
        )
        return ()
    path = str(user_path(named))
    archive, separator, folder = path.partition(SEPARATOR)
    if separator and not _exists(path) and is_archive(archive):
        return _in_archive(archive, folder, problems)
    if glob.has_magic(path) and not _exists(path):
        return _matches(path, problems, hint)
    return _at(path, problems, hint)


def _matches(pattern: str, problems: list[str], hint: str) -> Sequence[PictureSource]:
    paths = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - takes absolute ones
    if not paths:
        problems.append(f"{printable(pattern)}: no file matches; check the pattern")
    return [source for path in paths for source in _at(path, problems, hint)]


def _at(path: str, problems: list[str], hint: str) -> Sequence[PictureSource]:
    """The pictures of one existing path."""
    if problem := _path_problem(path):
        problems.append(problem)
        return ()
    if Path(path).is_dir():
        return _below(path, problems)
    if problem := other_kind(path, hint):
        problems.append(f"{printable(path)}: {problem}")
        return ()
    if is_archive(path):
        return _in_archive(path, "", problems)
    return (_file(str(Path(path))),)


def _below(folder: str, problems: list[str]) -> Sequence[PictureSource]:
    findings = Findings(folder)
    files = list_files(Path(folder), findings)
    problems += [printable(fault) for fault in findings.faults]
    if not files:
        return (_without(folder, _EMPTY_FOLDER),)
    return [_file(str(Path(folder) / file)) for file in files]


def _in_archive(path: str, folder: str, problems: list[str]) -> Sequence[PictureSource]:
    try:
        listing = list_archive(Path(path))
    except (OSError, CompressionError) as error:
        problems.append(f"{printable(path)}: {getattr(error, 'strerror', None) or error}")
        return ()
    problems += [f"{printable(path)}: {fault}" for fault in listing.faults]
    wanted = folder.strip("/")
    inside = [member.name for member in listing.members if _is_inside(member.name, wanted)]
    if wanted and not inside:
        problems.append(
            f"{printable(path)}: the archive has no {printable(wanted)}; name the archive alone"
        )
        return ()
    names = sorted(name for name in inside if is_picture_name(name) or name == wanted)
    if not names:
        return (_without(path, _EMPTY_ARCHIVE),)
    members = tuple(name for name in names if is_utf8(path + name))
    others = [name for name in names if not is_utf8(path + name)]
    return [
        *([ArchivePictures(path, members)] if members else []),
        *(_without(f"{path}{SEPARATOR}{name}", _NOT_UTF8) for name in others),
    ]


def _without_known(source: PictureSource, known: set[tuple[str, str]]) -> PictureSource | None:
    """The source without members of archives that are `known`, to which it adds the others."""
    if not isinstance(source, ArchivePictures):
        return source
    path = str(Path(source.path))
    members = tuple(name for name in source.members if (path, name) not in known)
    known.update((path, name) for name in members)
    return replace(source, members=members) if members else None


def _is_inside(name: str, folder: str) -> bool:
    return not folder or name == folder or PurePath(folder) in PurePath(name).parents


def _key(source: PictureSource) -> Hashable:
    """By which a source is known; a picture with pixels has no hash."""
    return (Picture, source.path) if isinstance(source, Picture) else source


def _file(path: str) -> PictureSource:
    return path if is_utf8(path) else _without(path, _NOT_UTF8)


def _without(path: str, problem: str) -> Picture:
    """A picture without content, by a name that can be written to any file."""
    return Picture(path if is_utf8(path) else printable(path), problem=problem)


def _exists(path: str) -> bool:
    try:
        return Path(path).exists() or Path(path).is_symlink()
    except (OSError, ValueError):
        return False


def _path_problem(path: str) -> str:
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
