"""A folder or archive of face images: its layout says what each is, here they are decoded."""

import itertools
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.decoding.decoder import Decoded, Decoder
from fer_models.ingest.decoding.tasks import Content, ImageFile, Part, Task
from fer_models.ingest.files.archive import ArchiveMember, list_archive, member_contents
from fer_models.ingest.files.compression import CompressionError, decompressed, decompressed_head
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.files.image_pixels import (
    DAMAGED_IN_ARCHIVE,
    MAX_FILE_BYTES,
    too_many_bytes,
)
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.fields import reason_of
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.image_buffer import compacted
from fer_models.ingest.layouts.places import Files, Place, Recognised
from fer_models.ingest.layouts.recognise import recognise
from fer_models.ingest.source_table import NO_VOTES, SourceTable, TableBuilder
from fer_models.labels import UNLABELLED

_HEAD_BYTES = 1 << 16
_MAX_LIST_BYTES = 4 << 30
Load = Callable[[list[str]], Iterator[tuple[str, Content]]]


@dataclass(frozen=True)
class ImageSource:
    """A folder, archive or list of images whose layout is known; no image was decoded yet."""

    name: str
    """For progress events."""
    found: Recognised
    load: Load
    """The contents of these images, in any order."""


def open_images(
    kind: SourceKind,
    file: SourceFile,
    findings: Findings,
    settings: LabelSettings = DEFAULT_LABELS,
    expect: Callable[[int], None] = lambda _: None,
) -> ImageSource | None:
    """Recognise the layout of a folder, of an archive (`ArchiveMember`) or of a list of images.

    The images of a list, a table of labels, are relative to its folder.

    Args:
        kind: FOLDER, IMAGE_ARCHIVE or IMAGE_LIST.
        file: the source.
        findings: receives the faults of the layout.
        settings: what the user says of the labels.
        expect: gets the number of files before the layout is recognised.

    Returns:
        None if the layout is not supported; the findings say why.

    Raises:
        OSError: the archive can't be read.
        CompressionError: the archive is damaged.
    """
    if kind is SourceKind.IMAGE_ARCHIVE:
        assert isinstance(file, ArchiveMember)
        files, load = archive_files(file)
    else:
        is_list = kind is SourceKind.IMAGE_LIST
        folder = file.path.absolute().parent if is_list else file.path
        settings = settings.with_table(file.path.name) if is_list else settings
        names = list_files(folder, findings)
        if findings.faults and (is_list or not names):
            return None
        files, load = folder_files(folder, names), folder_loader(folder)
    expect(len(files.names))
    found = recognise(files, settings, findings)
    if findings.faults or found is None:
        return None
    return ImageSource(file.name, found, load)


def read_images(
    source: ImageSource, findings: Findings, settings: LabelSettings, decoder: Decoder
) -> SourceTable | None:
    """Decode all images of a source to the format of the settings.

    Args:
        source: its layout.
        findings: receives all problems.
        settings: what the user says of the labels.
        decoder: decodes the images.

    Returns:
        The usable images in the order of their relative paths; None if the labels can't be read.

    Raises:
        CompressionError: the archive is damaged.
    """
    for note in source.found.notes:
        findings.add_note(note)
    places = sorted(source.found.places, key=lambda place: place.path)
    labels = LabelReader(settings, own=source.found.own)
    read = [_label(place, labels) for place in places]
    labels.finish(findings)
    if findings.faults:
        return None
    target = settings.image_format
    whole: Part = "largest face" if settings.finds_faces else None
    decoded = decoded_places(places, source.load, source.name, target, decoder, whole)
    table = _table(places, read, decoded, findings)
    if not settings.ignored:
        # A layout counts those that it knows to have none.
        said = [row for row in table.rows_without_label() if places[row].label is not None]
        if note := table.unlabelled_note(said):
            findings.add_note(note)
    return labels.named(table)


def listed_images(path: Path, settings: LabelSettings) -> list[str]:
    """The images that a table lists, relative to its folder; none if it can't be read."""
    try:
        found = open_images(SourceKind.IMAGE_LIST, SourceFile(path), Findings(path.name), settings)
    except CompressionError:
        return []
    return sorted({p.path for p in found.found.places if not p.missing}) if found else []


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
        return {name: decompressed(content, name) for name, content in contents.items()}

    def load(paths: list[str]) -> Iterator[tuple[str, Content]]:
        names = [prefix + path for path in paths]
        for name, content in member_contents(file.path, names, MAX_FILE_BYTES):
            path = name.removeprefix(prefix)
            problem = too_many_bytes(members[path].size) or DAMAGED_IN_ARCHIVE
            yield path, problem if content is None else content

    return Files(sorted(members), read, lambda name: decompressed_head(members[name].head)), load


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
        return {name: decompressed(content(name, _MAX_LIST_BYTES), name) for name in wanted}

    return Files(names, read, lambda name: decompressed_head(content(name, _HEAD_BYTES)))


def folder_loader(folder: Path) -> Load:
    """The loader of the images of a folder."""
    # Not pathlib, which takes longer than opening a file.
    root = os.fspath(folder)
    return lambda paths: ((path, ImageFile(os.path.join(root, path))) for path in paths)  # noqa: PTH118


def decoded_places(
    places: Sequence[Place],
    load: Load,
    name: str,
    target: ImageFormat,
    decoder: Decoder,
    whole: Part = None,
) -> Decoded:
    """The images of all places that have one, in order; `whole` is the part without a box."""
    boxes: dict[str, list[Part]] = {}
    for place in places:
        if not place.missing:
            boxes.setdefault(place.path, []).append(place.box or whole)
    first, total = {}, 0
    for path, several in boxes.items():
        first[path], total = total, total + len(several)
    # An archive is read front to back, so its images come in any order.
    contents = load(list(boxes))
    tasks = (Task(first[path], content, tuple(boxes[path])) for path, content in contents)
    return decoder.decode(tasks, total, name, target)


def _label(place: Place, labels: LabelReader) -> tuple[int, dict[str, str]]:
    """The label's number, and the problems of the image's fields."""
    if place.label is None:
        return UNLABELLED, dict(place.problems)
    label, problem = labels.read(place.label)
    return label, {**({"emotion": problem} if problem else {}), **place.problems}


def _table(
    places: list[Place],
    read: list[tuple[int, dict[str, str]]],
    decoded: Decoded,
    findings: Findings,
) -> SourceTable:
    """The usable images with their fields."""
    builder, kept = TableBuilder(), []
    positions = itertools.count()
    for row, (place, (label, problems)) in enumerate(zip(places, read, strict=True)):
        where = f"{place.where} ({place.path})" if place.where else place.path
        if place.missing:
            findings.add_bad_row(row, where, [place.missing], place.path, is_shared=True)
            continue
        position = next(positions)
        if broken := decoded.problems.get(position):
            findings.add_bad_row(row, where, [broken, *problems.values()], place.path)
            continue
        if problems:
            findings.add_bad_row(row, where, [*problems.values()], place.path, has_image=True)
        kept.append(position)
        reason = reason_of(problems)
        builder.add_fields(row, label, place.split, place.path, reason, place.votes, place.facts)
    has_votes = any(place.votes != NO_VOTES for place in places)
    table = builder.table(len(places), has_votes=has_votes, images=compacted(decoded.images, kept))
    table.files = decoded.files
    table.pixel_sha256 = [decoded.sha256[position] for position in kept]
    if decoded.thumbnails is not None:
        table.thumbnails = compacted(decoded.thumbnails, kept)
    return table
