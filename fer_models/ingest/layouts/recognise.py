"""Which layout a folder or archive has: the published ones by their files, then class folders."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from fer_models.classes.mapping import MIN_CLASSES
from fer_models.classes.names import class_name
from fer_models.classes.schemes import is_number
from fer_models.ingest.config import NONE
from fer_models.ingest.files.archive import Member
from fer_models.ingest.files.compression import decompressed, decompressed_head
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelReader, LabelSettings
from fer_models.ingest.layouts.affectnet import annotations_in, recognise_affectnet
from fer_models.ingest.layouts.annotation_table import (
    recognise_named_table,
    recognise_tables,
)
from fer_models.ingest.layouts.attributes import with_attributes
from fer_models.ingest.layouts.ferplus_images import recognise_ferplus, vote_lists_in
from fer_models.ingest.layouts.file_names import emotion_in_name, recognise_file_names
from fer_models.ingest.layouts.folders import FolderLabel, folder_labels, recognise_folders
from fer_models.ingest.layouts.label_lists import (
    label_list_in,
    read_label_list,
    recognise_label_list,
)
from fer_models.ingest.layouts.places import Files, Recognised, Recogniser
from fer_models.ingest.layouts.table_rows import is_image_list, list_candidates
from fer_models.user_input import user_path

# Those with files of their own first: their labels are certain.
_BY_FILES: tuple[Recogniser, ...] = (recognise_ferplus, recognise_label_list, recognise_affectnet)
_BY_CONTENT: tuple[Recogniser, ...] = (recognise_tables, recognise_file_names)
_NUM_SHOWN = 5
_MOST = 0.5


def recognise(files: Files, settings: LabelSettings, findings: Findings) -> Recognised | None:
    """The images of a source and what its layout and the tables beside them say.

    Args:
        files: all files of the folder or archive.
        settings: what the user says of labels and tables.
        findings: receives the faults of the layout.

    Returns:
        None if the layout is not supported; the findings say why.
    """
    found = _layout_of(files, settings, findings)
    return with_attributes(found, files, settings, findings) if found else None


def _layout_of(files: Files, settings: LabelSettings, findings: Findings) -> Recognised | None:
    path = settings.table.path
    if path.lower() == NONE:
        return recognise_folders(files, settings, findings)
    if path:
        return _named(files, settings, findings, path)
    for recogniser in _BY_FILES:
        found = recogniser(files, settings, findings)
        if found or findings.faults:
            return found
    for recogniser in _BY_CONTENT:
        found = recogniser(files, settings, findings)
        if findings.faults:
            return None
        if found:
            return _unless_folders_differ(found, files, settings, findings)
    by_folders = recognise_folders(files, settings, findings)
    return _unless_people(by_folders, settings, findings) if by_folders else None


def label_files(members: Sequence[Member]) -> list[str]:
    """The files of an archive from which its labels are read, as far as names and heads tell."""
    heads = {member.name: decompressed_head(member.head) for member in members}
    names = [*heads]
    found = [*vote_lists_in(names), *annotations_in(names)]
    if (name := label_list_in(names)) or found:
        return [*found, *([name] if name else [])]
    return list_candidates(names, lambda name: heads[name])


def is_list_of_images(member: Member) -> bool:
    """Whether a file of an archive lists images, as far as its first bytes tell."""
    return is_image_list(member.name, decompressed_head(member.head))


def external_table(path: str) -> Path | None:
    """The file on this machine that `data.table.path` names, if there is one."""
    file = user_path(path)
    return file if path and path.lower() != NONE and file.is_file() else None


def _named(
    files: Files, settings: LabelSettings, findings: Findings, path: str
) -> Recognised | None:
    """By the table that the user names: a file of the source, or one on this machine."""
    name = PurePosixPath(path).as_posix()
    outside = external_table(path)
    fits = [own for own in files.names if f"/{own}".endswith(f"/{name}")]
    fits = fits or [own for own in files.names if name.endswith(f"/{own}")]
    if name in files.names or len(fits) == 1:
        name = name if name in files.names else fits[0]
        content = files.read([name])[name]
    elif outside is not None:
        name, content = outside.name, decompressed(outside.read_bytes(), outside.name)
    else:
        findings.add_fault(
            f"data.table.path={path}: there is no such file in the source or on this machine; "
            "name it relative to the source"
        )
        return None
    if label_list_in([name]):
        return read_label_list(files, settings, findings, name, content)
    return recognise_named_table(files, settings, findings, name, content)


def _unknown_classes(found: Recognised, settings: LabelSettings) -> list[str]:
    """The names of the class folders if none of them is known, nor a number; else none."""
    labels = sorted({place.label for place in found.places if place.label is not None})
    is_known = any(is_number(text) or settings.is_known(class_name(text)) for text in labels)
    return [] if is_known or len(labels) < MIN_CLASSES else labels


def _unless_people(
    found: Recognised, settings: LabelSettings, findings: Findings
) -> Recognised | None:
    """Class folders; unknown ones may be people, and are if the names of files are emotions."""
    if not (names := _unknown_classes(found, settings)):
        return found
    shown = ", ".join(names[:_NUM_SHOWN]) + (", ..." if len(names) > _NUM_SHOWN else "")
    none_known = f"none of the {len(names)} class folders has the name of an emotion ({shown})"
    emotions = {place.path: emotion_in_name(place.path) for place in found.places}
    named = [path for path, emotion in emotions.items() if emotion]
    if len({emotions[path] for path in named}) > 1 and len(named) > len(emotions) * _MOST:
        findings.add_fault(
            f"{none_known}, but file names have, such as {named[0]}: if the folders are people, "
            "list the images in a csv file (path,label) and name it with data.table.path; if they "
            f"are the classes, set data.table.path={NONE}"
        )
        return None
    note = (
        f"{none_known}: each is a class of its own; if they are people or sessions, list the "
        "images in a csv file (path,label) and name it with data.table.path"
    )
    return replace(found, notes=[*found.notes, note])


def _unless_folders_differ(
    found: Recognised, files: Files, settings: LabelSettings, findings: Findings
) -> Recognised | None:
    """A layout by tables or file names, after comparing it with folders that are classes, too."""
    scratch = Findings(findings.source)
    folders = folder_labels(files.names, scratch, LabelReader(settings))
    texts = {one.label for one in folders.values() if one.label is not None}
    if scratch.faults or not all(settings.is_known(class_name(text)) for text in texts):
        return found
    reason = _why_unusable(found, len(folders), settings, findings)
    if reason:
        by_folders = recognise_folders(files, settings, findings)
        notes = [f"{found.layout}: not read; the folders are the classes, and {reason}"]
        return replace(by_folders, notes=notes) if by_folders else None
    differing = _differing(found, folders, settings)
    if differing:
        findings.add_fault(
            f"{found.layout} and the folders give {len(differing):,} images different labels "
            f"({differing[0]}); choose with data.table.path: the table, or {NONE} for the folders"
        )
        return None
    return found


def _why_unusable(
    found: Recognised, num_in_folders: int, settings: LabelSettings, findings: Findings
) -> str:
    """Why class folders are read rather than this layout; "" if it can be read."""
    labels, check = LabelReader(settings, own=found.own), Findings(findings.source)
    for place in found.places:
        if place.label is not None:
            labels.read(place.label)
    labels.finish(check)
    if check.faults:
        return "its labels are numbers without names"
    num_listed = len({place.path for place in found.places if not place.missing})
    if num_listed < num_in_folders:
        return f"it has only {num_listed:,} of {num_in_folders:,} images"
    return ""


def _differing(
    found: Recognised, folders: Mapping[str, FolderLabel], settings: LabelSettings
) -> list[str]:
    """Images whose folder means another class than the layout says."""
    labels = LabelReader(settings, own=found.own)
    differing = []
    for place in found.places:
        folder = folders.get(place.path)
        if place.label is None or place.missing or folder is None or folder.label is None:
            continue
        number, _ = labels.read(place.label)
        by_folder = class_name(folder.label)
        if number >= 0 and labels.names[number] != by_folder:
            differing.append(f"{place.path}: {labels.names[number]} and {by_folder}")
    return differing
