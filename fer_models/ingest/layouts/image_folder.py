"""A folder or archive of face images: its layout says what each is, here they are decoded."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from fer_models.dataset.image_format import ImageFormat
from fer_models.dataset.snapshot import Images
from fer_models.ingest.files.archive import ArchiveMember, list_archive, member_contents
from fer_models.ingest.files.folder import list_files, read_file
from fer_models.ingest.files.image_decoding import (
    DAMAGED_IN_ARCHIVE,
    MAX_FILE_BYTES,
    Box,
    decode_in_order,
    too_many_bytes,
)
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import reason_of
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.image_buffer import compacted, image_array
from fer_models.ingest.layouts.places import Files, Place
from fer_models.ingest.layouts.recognise import recognise
from fer_models.ingest.source_table import NO_VOTES, SourceTable, TableBuilder
from fer_models.labels import UNLABELLED

_HEAD_BYTES = 1 << 16
_MAX_LIST_BYTES = 4 << 30
Load = Callable[[list[str]], Iterator[tuple[str, Callable[[], bytes | str]]]]


def read_image_folder(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a folder of images and convert each to the format of the settings.

    Args:
        file: the folder.
        findings: receives all problems.
        settings: what the user says of the labels.

    Returns:
        Its usable images in the order of their relative paths, or None if the folder's layout is
        not supported.
    """
    names = list_files(file.path, findings)
    if findings.faults and not names:
        return None
    return _read(folder_files(file.path, names), file, findings, settings, folder_loaders(file))


def read_image_list(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a table of labels and the images that it names, relative to its folder.

    Args:
        file: the table.
        findings: receives all problems.
        settings: what the user says of the labels.

    Returns:
        As `read_image_folder`.
    """
    folder = SourceFile(file.path.absolute().parent)
    settings = settings.with_table(file.path.name)
    names = list_files(folder.path, findings)
    if findings.faults:
        return None
    files = folder_files(folder.path, names)
    return _read(files, file, findings, settings, folder_loaders(folder))


def read_image_archive(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a folder of images in a zip or tar archive.

    Args:
        file: the folder in the archive (an `ArchiveMember`).
        findings: receives all problems.
        settings: what the user says of the labels.

    Returns:
        As `read_image_folder`.

    Raises:
        CompressionError: the archive is damaged.
    """
    assert isinstance(file, ArchiveMember)
    files, load = archive_files(file)
    return _read(files, file, findings, settings, load)


def listed_images(path: Path, settings: LabelSettings) -> list[str]:
    """The images that a table lists, relative to its folder; none if it can't be read."""
    folder, findings = path.absolute().parent, Findings(path.name)
    files = folder_files(folder, list_files(folder, findings))
    found = recognise(files, settings.with_table(path.name), findings)
    return sorted({place.path for place in found.places if not place.missing}) if found else []


def archive_files(file: ArchiveMember) -> tuple[Files, Load]:
    """The files of a folder in an archive, and the loader of its images."""
    prefix = f"{file.member}/" if file.member else ""
    members = {
        member.name.removeprefix(prefix): member
        for member in list_archive(file.path).members
        if member.name.startswith(prefix)
    }

    def read(names: Collection[str]) -> Mapping[str, bytes]:
        heads = {name: members[name].head for name in names}
        contents = {name: head for name, head in heads.items() if len(head) == members[name].size}
        rest = [prefix + name for name in names if name not in contents]
        if rest:
            loaded = member_contents(file.path, rest, _MAX_LIST_BYTES)
            contents |= {name.removeprefix(prefix): content or b"" for name, content in loaded}
        return contents

    def load(paths: list[str]) -> Iterator[tuple[str, Callable[[], bytes | str]]]:
        names = [prefix + path for path in paths]
        for name, content in member_contents(file.path, names, MAX_FILE_BYTES):
            path = name.removeprefix(prefix)
            problem = too_many_bytes(members[path].size) or DAMAGED_IN_ARCHIVE
            loaded = problem if content is None else content
            yield path, lambda loaded=loaded: loaded  # type: ignore[misc]

    return Files(sorted(members), read, lambda name: members[name].head), load


def folder_files(root: Path, names: list[str]) -> Files:
    """The files of a folder; one that can't be opened is empty."""

    def content(name: str, num_bytes: int) -> bytes:
        path = root / name
        try:
            if not path.is_file():  # opening a pipe would block
                return b""
            with path.open("rb") as stream:
                return stream.read(num_bytes)
        except OSError:
            return b""

    def read(wanted: Collection[str]) -> Mapping[str, bytes]:
        return {name: content(name, _MAX_LIST_BYTES) for name in wanted}

    return Files(names, read, lambda name: content(name, _HEAD_BYTES))


def folder_loaders(folder: SourceFile) -> Load:
    """The loader of the images of a folder."""

    def loader(path: str) -> Callable[[], bytes | str]:
        return lambda: read_file(folder.path / path)

    return lambda paths: ((path, loader(path)) for path in paths)


def _read(
    files: Files, file: SourceFile, findings: Findings, settings: LabelSettings, load: Load
) -> SourceTable | None:
    found = recognise(files, settings, findings)
    if findings.faults or found is None:
        return None
    for note in found.notes:
        findings.add_note(note)
    places = sorted(found.places, key=lambda place: place.path)
    labels = LabelReader(settings, own=found.own)
    read = [_label(place, labels) for place in places]
    labels.finish(findings)
    if findings.faults:
        return None
    images, broken = decoded_places(places, load, file.name, settings.image_format)
    return labels.named(_table(places, read, images, broken, findings))


def decoded_places(
    places: list[Place], load: Load, name: str, target: ImageFormat
) -> tuple[Images, dict[int, str]]:
    """The images of all places that have one, in order, and the problems of some by position."""
    boxes: dict[str, list[Box | None]] = {}
    for place in places:
        if not place.missing:
            boxes.setdefault(place.path, []).append(place.box)
    following, total = {}, 0
    for path, several in boxes.items():
        following[path], total = total, total + len(several)
    images, broken = image_array(total, target), {}
    # An archive is read front to back, so its images come in any order.
    for path, outcome in decode_in_order(load(list(boxes)), total, name, boxes, target):
        position, following[path] = following[path], following[path] + 1
        if isinstance(outcome, str):
            broken[position] = outcome
        else:
            images[position] = outcome
    return images, broken


def _label(place: Place, labels: LabelReader) -> tuple[int, dict[str, str]]:
    """The label's number, and the problems of the image's fields."""
    if place.label is None:
        return UNLABELLED, dict(place.problems)
    label, problem = labels.read(place.label)
    return label, {**({"emotion": problem} if problem else {}), **place.problems}


def _table(
    places: list[Place],
    read: list[tuple[int, dict[str, str]]],
    images: Images,
    broken: dict[int, str],
    findings: Findings,
) -> SourceTable:
    """The usable images with their fields; `broken` has the problems of images by position."""
    builder, kept = TableBuilder(), []
    positions = itertools.count()
    for row, (place, (label, problems)) in enumerate(zip(places, read, strict=True)):
        where = f"{place.where} ({place.path})" if place.where else place.path
        if place.missing:
            findings.add_bad_row(row, where, [place.missing], place.path, is_shared=True)
            continue
        position = next(positions)
        if position in broken:
            findings.add_bad_row(row, where, [broken[position], *problems.values()], place.path)
            continue
        if problems:
            findings.add_bad_row(row, where, [*problems.values()], place.path, has_image=True)
        kept.append(position)
        reason = reason_of(problems)
        builder.add_fields(row, label, place.split, place.path, reason, place.votes, place.facts)
    has_votes = any(place.votes != NO_VOTES for place in places)
    return builder.table(len(places), has_votes=has_votes, images=compacted(images, kept))
