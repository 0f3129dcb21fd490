"""A folder or archive of face images: `<root>/<class>/*`, or `train/<class>/*`, `test/<class>/*`.

Split and label come from the folder names; see `folder_layout`.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from fer_models.ingest.files.archive import ArchiveMember, list_archive, member_contents
from fer_models.ingest.files.folder import list_files, read_file
from fer_models.ingest.files.image_decoding import (
    DAMAGED_IN_ARCHIVE,
    MAX_FILE_BYTES,
    Outcome,
    decode_in_order,
    too_many_bytes,
)
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.folder_layout import FolderLabel, folder_labels
from fer_models.ingest.formats.labels import DEFAULT_LABELS, LabelReader, LabelSettings
from fer_models.ingest.source_table import SourceTable, TableBuilder


def read_image_folder(
    file: SourceFile, findings: Findings, settings: LabelSettings = DEFAULT_LABELS
) -> SourceTable | None:
    """Read a folder of images and convert each to grey 48 x 48.

    Args:
        file: the folder.
        findings: receives all problems.
        settings: what the user says of the labels.

    Returns:
        Its usable images in the order of their relative paths, or None if the folder's layout is
        not supported.
    """
    files = list_files(file.path, findings)
    if findings.faults and not files:
        return None
    labels = LabelReader(settings)
    places = folder_labels(files, findings, labels)
    if findings.faults:
        return None
    loaders = ((path, _loader(file.path / path)) for path in sorted(places))
    decoded = decode_in_order(loaders, len(places), file.name)
    return _table(places, decoded, findings, labels)


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
    prefix = f"{file.member}/" if file.member else ""
    sizes = {
        member.name.removeprefix(prefix): member.size
        for member in list_archive(file.path).members
        if member.name.startswith(prefix)
    }
    labels = LabelReader(settings)
    places = folder_labels(sorted(sizes), findings, labels)
    if findings.faults:
        return None

    def loaders() -> Iterator[tuple[str, Callable[[], bytes | str]]]:
        names = [prefix + path for path in places]
        for name, content in member_contents(file.path, names, MAX_FILE_BYTES):
            path = name.removeprefix(prefix)
            problem = too_many_bytes(sizes[path]) or DAMAGED_IN_ARCHIVE
            loaded = problem if content is None else content
            yield path, lambda loaded=loaded: loaded  # type: ignore[misc]

    decoded = decode_in_order(loaders(), len(places), file.name)
    return _table(places, decoded, findings, labels)


def _loader(path: Path) -> Callable[[], bytes | str]:
    return lambda: read_file(path)


def _table(
    places: dict[str, FolderLabel],
    decoded: Iterator[tuple[str, Outcome]],
    findings: Findings,
    labels: LabelReader,
) -> SourceTable:
    outcomes = dict(decoded)
    assert outcomes.keys() == places.keys()
    builder = TableBuilder()
    for row, path in enumerate(sorted(places)):
        outcome = outcomes[path]
        if isinstance(outcome, str):
            findings.add_bad_row(row, path, [outcome], path)
            continue
        place = places[path]
        builder.add_images(outcome[None])
        builder.add_fields(row, place.label, place.split, path)
    return labels.named(builder.table(len(places)))
