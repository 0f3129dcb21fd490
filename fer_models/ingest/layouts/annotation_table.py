"""A table of labels beside images: a row has the path of an image, its label, and maybe a split.

Covers own tables, `metadata.csv` of Hugging Face's image folders, and the lists of AffectNet.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from fer_models.classes.schemes import SCHEMES
from fer_models.dataset.snapshot import SPLITS, UNASSIGNED
from fer_models.ingest.config import BY_TABLE, TableConfig
from fer_models.ingest.files.image_pixels import Box
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.columns import ColumnError, check_slice_columns
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.image_paths import AmbiguousPathError, ImageIndex
from fer_models.ingest.layouts.places import (
    NO_BOX,
    NO_IMAGE,
    NO_LABEL,
    Files,
    Place,
    Recognised,
    split_of_folders,
    unlisted_note,
    without_repetitions,
)
from fer_models.ingest.layouts.table_columns import BOX_COLUMNS, ImageTable, image_table
from fer_models.ingest.layouts.table_rows import TableError, list_candidates

_AFFECTNET = "affectnet"
_NO_FACES = tuple(str(number) for number, name in SCHEMES[_AFFECTNET].names.items() if not name)


def recognise_named_table(
    files: Files, settings: LabelSettings, findings: Findings, name: str, content: bytes
) -> Recognised | None:
    """The images of the table that the user named; everything unexpected is a fault."""
    try:
        table = image_table(name, content, settings.table, ImageIndex(files.names))
        if not table.label and settings.table.label.lower() != "none":
            raise ColumnError(
                "which column contains the labels? Name it with data.table.label: "
                f"{', '.join(c for c in table.rows.columns if c != table.path)}"
            )
        if problem := _split_problem(table, settings.table):
            raise ColumnError(problem)
        found = _recognised([table], files, settings)
    except (TableError, ColumnError, AmbiguousPathError) as error:
        findings.add_fault(f"{name}: {error}")
        return None
    if not found.places or not all(place.missing for place in found.places):
        return found
    findings.add_fault(
        f"{name}: the source contains none of its {len(found.places):,} images, such as "
        f"{found.places[0].path}; name the folder or archive of the images as the source, and the "
        "table with data.table.path"
    )
    return None


def recognise_tables(
    files: Files, settings: LabelSettings, findings: Findings
) -> Recognised | None:
    """The images of all tables among the files that list at least one of them."""
    candidates = list_candidates(files.others, files.head)
    labelled, problems = _labelled(candidates, files, settings) if candidates else ([], [])
    for table in labelled:
        if problem := _split_problem(table, settings.table):
            findings.add_fault(f"{table.name}: {problem}")
    if not labelled:
        for problem in problems:
            findings.add_fault(problem)
    if not labelled or findings.faults:
        return None
    try:
        found = _recognised(labelled, files, settings)
    except (ColumnError, AmbiguousPathError) as error:
        findings.add_fault(str(error))
        return None
    return replace(found, notes=[*found.notes, *(f"not read: {one}" for one in problems)])


def _labelled(
    candidates: Sequence[str], files: Files, settings: LabelSettings
) -> tuple[list[ImageTable], list[str]]:
    """The tables with labels of at least one image, and the problems of the others."""
    tables, problems = [], []
    index = ImageIndex(files.names)
    for name, content in sorted(files.read(candidates).items()):
        try:
            table = image_table(name, content, settings.table, index)
            if any(table.files) and table.label:
                tables.append(table)
        except (TableError, ColumnError, AmbiguousPathError) as error:
            problems.append(f"{name}: {error}")
    return tables, problems


def _recognised(tables: Sequence[ImageTable], files: Files, settings: LabelSettings) -> Recognised:
    if not settings.has_several_sources:
        check_slice_columns(
            [name for table in tables for name in table.rows.columns], settings.slice_columns
        )
    places = [place for table in tables for place in _places(table, settings)]
    places = without_repetitions(places)
    listed = {place.path for place in places}
    names = ", ".join(table.name for table in tables)
    notes = [note for table in tables for note in (*table.notes, *_split_notes(table))]
    notes += unlisted_note(sum(name not in listed for name in files.images), names)
    own = SCHEMES[_AFFECTNET] if all(table.is_affectnet for table in tables) else None
    return Recognised(names, places, own, notes, has_columns=True)


def _elsewhere(table: ImageTable, *, held_out: bool) -> list[str]:
    """The images whose folders name another split than their rows: a more held-out one, or not.

    An image of the folder `test` in `train.csv` is more held-out there, one of `train` in
    `validation.csv` is not.
    """
    found = []
    for path, split in zip(table.files, table.splits, strict=True):
        folder = split_of_folders(path) if split else UNASSIGNED
        if folder not in (UNASSIGNED, split):
            is_held_out = SPLITS.index(folder) > SPLITS.index(split)
            found += [path] if is_held_out == held_out else []
    return found


def _split_problem(table: ImageTable, config: TableConfig) -> str:
    """Why the table's name can't be the split of all its rows; "" if it can.

    A validation.csv of images in the folder `train` holds them out. A train.csv of images in
    the folder `test` may be a mistake, after which the test images are training images.
    """
    if not table.named_split or config.split.lower() == BY_TABLE:
        return ""
    if not (found := _elsewhere(table, held_out=True)):
        return ""
    return (
        f"its name says {table.named_split}, but {len(found):,} of its {len(table.files):,} images "
        f"are in folders of another split ({found[0]}); choose with data.table.split: folders if "
        f"the folders are right, table if all of them are {table.named_split}"
    )


def _split_notes(table: ImageTable) -> list[str]:
    """The images whose folders say another split than the one that is used."""
    held_out, others = (_elsewhere(table, held_out=value) for value in (True, False))
    # To hold out a part of the training images by a column is common, and harmless.
    found = [*held_out, *(others if table.named_split else ())]
    if not found:
        return []
    which = "its name" if table.named_split else f"the column {table.split}"
    note = (
        f"{table.name}: the splits are those of {which}, though {len(found):,} images are in "
        f"folders of another split ({found[0]})"
    )
    return [note]


def _places(table: ImageTable, settings: LabelSettings) -> list[Place]:
    rows = table.rows
    values = rows.values(table.path)
    labels = rows.values(table.label) if table.label else []
    splits, boxes = table.splits, _boxes(table, settings)
    no_faces = _labels_without_face(table, settings)
    kept = [(name, rows.values(name)) for name in settings.slice_columns if name in rows.columns]
    places = []
    for number, (value, path) in enumerate(zip(values, table.files, strict=True)):
        where = f"{table.name} {rows.where[number]}"
        problems = {}
        if table.split and not splits[number]:
            text = rows.values(table.split)[number] if rows.rows else ""
            problems["usage"] = (
                f"expected a split (train, validation or test), got {text[:30]!r}; correct it, or "
                "ignore the column with data.table.split=none"
            )
        label = labels[number] if labels else None
        if label == "":
            problems["emotion"], label = NO_LABEL, None
        split = splits[number] or (split_of_folders(path) if not table.split else UNASSIGNED)
        box = boxes[number] if boxes else None
        missing = "" if path else NO_IMAGE
        if boxes and box is None and not missing and label not in no_faces:
            missing = NO_BOX
        places.append(
            Place(
                path or value,
                split,
                label,
                box,
                columns={name: texts[number].strip() for name, texts in kept},
                where=where,
                missing=missing,
                problems=problems,
            )
        )
    return places


def _boxes(table: ImageTable, settings: LabelSettings) -> list[Box | None]:
    rows = table.rows
    if not settings.table.crop or not set(BOX_COLUMNS) <= set(rows.columns):
        return []
    columns = [rows.values(column) for column in BOX_COLUMNS]
    boxes = [_box(*texts) for texts in zip(*columns, strict=True)]
    labels = rows.values(table.label) if table.label else []
    no_faces = _labels_without_face(table, settings)
    return [
        None if label in no_faces else box
        for label, box in itertools.zip_longest(labels, boxes, fillvalue=None)
    ]


def _labels_without_face(table: ImageTable, settings: LabelSettings) -> tuple[str, ...]:
    """The labels that AffectNet's numbering leaves out, whose images have no face to cut out."""
    has_its_numbers = table.is_affectnet or settings.scheme == _AFFECTNET
    return _NO_FACES if has_its_numbers else ()


def _box(x: str, y: str, width: str, height: str) -> Box | None:
    try:
        left, top = round(float(x)), round(float(y))
        right, bottom = left + round(float(width)), top + round(float(height))
    except (ValueError, OverflowError):  # NULL, where there is no face
        return None
    return left, top, right, bottom
