"""Choose the file or folder of an archive that is the source."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fer_models.ingest.files.archive import Listing, Member
from fer_models.ingest.files.detection import (
    SourceKind,
    columns_of,
    is_image,
    is_table,
    kind_of_content,
    may_list,
)
from fer_models.ingest.formats.labels import DEFAULT_LABELS
from fer_models.ingest.layouts.folders import is_split_or_class
from fer_models.ingest.layouts.recognise import is_list_of_images, label_files

SEPARATOR = "::"

_COMPRESSED_SUFFIXES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
_COMPLETE_FER2013 = {"emotion", "pixels", "usage"}
_NUM_SHOWN = 8


@dataclass(frozen=True)
class Choice:
    """The part of an archive to read: a table or a folder of images ("" is the root)."""

    kind: SourceKind
    member: str


def choose(listing: Listing, wanted: str, archive: str) -> Choice | str:
    """Choose the part of an archive to read.

    Args:
        listing: content of the archive.
        wanted: the file or folder that the user named; "" chooses by content.
        archive: the archive as the user named it, for messages.

    Returns:
        The choice, or why there is none and what can be named instead.
    """
    if not listing.members:
        return "the archive contains no files; repack or download it"
    if wanted:
        return _named(listing.members, wanted.strip("/"), archive)
    lists = label_files(listing.members) or _unknown_lists(listing.members)
    tables = [m for m in listing.members if m.name not in lists and _holds_table(m)]
    images = [member.name for member in listing.members if is_image(member.name)]
    if not (tables or images):  # images without a suffix, as in a plain folder
        images = [member.name for member in listing.members if _is_in_class_folder(member.name)]
    if tables and images:
        root = _image_root([*images, *lists]) or images[0].partition("/")[0]
        return _ambiguous("tables and images", [*(table.name for table in tables), root], archive)
    if images:
        return Choice(SourceKind.IMAGE_ARCHIVE, _image_root([*images, *lists]))
    return _table(tables, listing.members, archive)


def _unknown_lists(members: Sequence[Member]) -> list[str]:
    """Files that data.table.path may name, in an archive whose folders are no known classes."""
    if any(_is_in_class_folder(member.name) for member in members if is_image(member.name)):
        return []
    return [m.name for m in members if may_list(m.name) and not _holds_table(m)]


def _named(members: Sequence[Member], wanted: str, archive: str) -> Choice | str:
    for member in members:
        if member.name == wanted:
            if is_image(wanted):
                return f"{wanted} is a single image; name the folder above the class folders"
            if is_list_of_images(member):
                return (
                    f"{wanted} lists images; name the archive alone, or a folder of it, and the "
                    f"table with data.table.path={wanted}"
                )
            kind = kind_of_content(member.head, PurePosixPath(wanted).suffix)
            return kind if not isinstance(kind, SourceKind) else Choice(kind, wanted)
    if any(member.name.startswith(f"{wanted}/") for member in members):
        return Choice(SourceKind.IMAGE_ARCHIVE, wanted)
    names = [member.name for member in members]
    near = difflib.get_close_matches(wanted, names, _NUM_SHOWN) or names
    return f"there is no {wanted} in the archive; {_offer(near, archive)}"


def _table(tables: list[Member], members: Sequence[Member], archive: str) -> Choice | str:
    # The Kaggle challenge's archive holds the complete table beside its parts.
    complete = [table for table in tables if not _is_part(table)]
    candidates = complete or tables or [m for m in members if m.name.lower().endswith(".csv")]
    if not candidates and len(members) == 1:
        candidates = list(members)
    if len(candidates) > 1:
        return _ambiguous("several tables", [table.name for table in candidates], archive)
    if not candidates:
        return _nothing(members)
    [table] = candidates
    kind = kind_of_content(table.head, PurePosixPath(table.name).suffix)
    if not isinstance(kind, SourceKind):
        return f"{table.name} in the archive: {kind}"
    return Choice(kind, table.name)


def _holds_table(member: Member) -> bool:
    """Whether a file is a table of faces or votes, by name and header."""
    if not is_table(member.name):
        return False
    kind = kind_of_content(member.head, PurePosixPath(member.name).suffix)
    if kind is SourceKind.PIXEL_TABLE:
        return "pixels" in columns_of(member.head)
    return kind in (SourceKind.PARQUET, SourceKind.FERPLUS)


def _is_part(table: Member) -> bool:
    kind = kind_of_content(table.head, PurePosixPath(table.name).suffix)
    return kind is SourceKind.PIXEL_TABLE and not set(columns_of(table.head)) >= _COMPLETE_FER2013


def _image_root(images: Sequence[str]) -> str:
    """The innermost folder of all these files that is neither a split nor a class folder."""
    root: list[str] = []
    folders = [PurePosixPath(image).parts[:-1] for image in images]
    for level in zip(*folders, strict=False):
        if len(set(level)) > 1 or _is_split_or_class(level[0]):
            break
        root.append(level[0])
    return "/".join(root)


def _is_in_class_folder(name: str) -> bool:
    return any(_is_split_or_class(folder) for folder in PurePosixPath(name).parts[:-1])


def _is_split_or_class(folder: str) -> bool:
    return is_split_or_class(folder, DEFAULT_LABELS)


def _ambiguous(what: str, names: list[str], archive: str) -> str:
    return f"the archive contains {what}; {_offer(names, archive)}"


def _offer(names: Sequence[str], archive: str) -> str:
    shown = ", ".join(f"{archive}{SEPARATOR}{name}" for name in names[:_NUM_SHOWN])
    more = f" (and {len(names) - _NUM_SHOWN} more)" if len(names) > _NUM_SHOWN else ""
    return f"name one of them: {shown}{more}"


def _nothing(members: Sequence[Member]) -> str:
    compressed = [m.name for m in members if m.name.lower().endswith(_COMPRESSED_SUFFIXES)]
    if compressed:
        return (
            f"the archive contains no table or images, only the compressed file {compressed[0]}; "
            "unpack the archive and name that file"
        )
    names = ", ".join(member.name for member in members[:_NUM_SHOWN])
    return (
        f"the archive contains no table of faces and no images, only {names}; "
        "name an archive with fer2013.csv or <class>/ folders in it"
    )
