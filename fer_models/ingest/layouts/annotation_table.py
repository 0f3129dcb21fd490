"""A table of labels beside images: a row has the path of an image, its label, and maybe a split.

Covers own tables, `metadata.csv` of Hugging Face's image folders, and the lists of AffectNet.
"""

import itertools
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from fer_models.classes.schemes import SCHEMES
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.config import TableConfig
from fer_models.ingest.files.detection import plain_name
from fer_models.ingest.files.image_pixels import Box
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.columns import (
    SPLIT_COLUMNS,
    ColumnError,
    check_slice_columns,
    chosen_column,
)
from fer_models.ingest.formats.fields import split_of
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.image_paths import AmbiguousPathError, ImageIndex
from fer_models.ingest.layouts.label_column import label_column
from fer_models.ingest.layouts.places import (
    NO_BOX,
    NO_IMAGE,
    NO_LABEL,
    Files,
    Place,
    Recognised,
    folder_of,
    split_of_folders,
    unlisted_note,
    without_repetitions,
)
from fer_models.ingest.layouts.table_rows import (
    AFFECTNET_PATH,
    PATH_COLUMNS,
    TableError,
    TableRows,
    list_candidates,
    names_image,
    read_table,
)

_BOX_COLUMNS = ("face_x", "face_y", "face_width", "face_height")
_SPLIT_COLUMNS = (*SPLIT_COLUMNS, "fold", "dataset")
_AFFECTNET = "affectnet"
_NO_FACES = tuple(str(number) for number, name in SCHEMES[_AFFECTNET].names.items() if not name)
_SAMPLE = 200
_NUM_SHOWN = 3


@dataclass(frozen=True)
class _Table:
    """A table whose columns are known."""

    name: str
    rows: TableRows
    path: str
    label: str
    split: str
    """"" if it has no column of splits."""
    notes: Sequence[str] = ()
    """On columns that are not read."""

    @property
    def is_affectnet(self) -> bool:
        """Whether it is one of AffectNet's lists, by its columns."""
        return self.path == AFFECTNET_PATH and self.label == "expression"


def recognise_named_table(
    files: Files, settings: LabelSettings, findings: Findings, name: str, content: bytes
) -> Recognised | None:
    """The images of the table that the user named; everything unexpected is a fault."""
    try:
        table = _table(name, read_table(content, settings.table.separator), settings.table)
        if not table.label and settings.table.label.lower() != "none":
            raise ColumnError(
                "which column contains the labels? Name it with data.table.label: "
                f"{', '.join(c for c in table.rows.columns if c != table.path)}"
            )
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
    if not labelled:
        for problem in problems:
            findings.add_fault(problem)
        return None
    try:
        return _recognised(labelled, files, settings)
    except (ColumnError, AmbiguousPathError) as error:
        findings.add_fault(str(error))
        return None


def _labelled(
    candidates: Sequence[str], files: Files, settings: LabelSettings
) -> tuple[list[_Table], list[str]]:
    """The tables with labels of at least one image, and the problems of the others."""
    tables, problems = [], []
    index = ImageIndex(files.names)
    for name, content in sorted(files.read(candidates).items()):
        try:
            table = _table(name, read_table(content, settings.table.separator), settings.table)
            if any(_found(table, index)) and table.label:
                tables.append(table)
        except (TableError, ColumnError, AmbiguousPathError) as error:
            problems.append(f"{name}: {error}")
    return tables, problems


def _table(name: str, rows: TableRows, config: TableConfig) -> _Table:
    if rows.ragged:
        shown = ", ".join(rows.ragged[:_NUM_SHOWN])
        raise TableError(
            f"expected {len(rows.columns)} columns in every row, got another number in "
            f"{len(rows.ragged)} ({shown}); correct them"
        )
    repeated = {name for name in rows.columns if name and rows.columns.count(name) > 1}
    if repeated:
        raise ColumnError(f"two columns have the name {min(repeated)}; rename one")
    path = path_column(rows, config)
    others = [column for column in rows.columns if column not in (path, *_BOX_COLUMNS)]
    split = chosen_column(others, config.split, _SPLIT_COLUMNS, "split")
    if split and not config.split and not any(map(split_of, set(rows.values(split)))):
        split = ""  # numbers of folds
    label, notes = label_column(rows, [column for column in others if column != split], config)
    return _Table(name, rows, path, label, split, [f"{name}: {note}" for note in notes])


def path_column(rows: TableRows, config: TableConfig) -> str:
    """The column of the paths of images: as the settings say, else by its content.

    Raises:
        ColumnError: there is none.
    """
    known = chosen_column(rows.columns, config.image, (), "image")
    if known:
        return known
    named = [column for column in PATH_COLUMNS if column in rows.columns]
    with_suffix = [
        column
        for column in (*named, *rows.columns)
        if any(map(names_image, rows.values(column)[:_SAMPLE]))
    ]
    if not (with_suffix or named):
        raise ColumnError(
            f"which column contains the images' paths? Name it with data.table.image: "
            f"{', '.join(rows.columns)}"
        )
    return (with_suffix or named)[0]


def _splits(table: _Table) -> list[str]:
    """The split of each row: of its column, else of the table's own name."""
    if table.split:
        return [split_of(text) for text in table.rows.values(table.split)]
    words = posixpath.splitext(posixpath.basename(plain_name(table.name)))[0].lower()
    named = {split_of(word) for word in words.replace("-", "_").split("_")} - {UNASSIGNED}
    return [named.pop() if len(named) == 1 else UNASSIGNED] * len(table.rows.rows)


def _found(table: _Table, index: ImageIndex) -> list[str]:
    values = table.rows.values(table.path)
    return index.resolve(values, folder_of(table.name), _splits(table))


def _recognised(tables: Sequence[_Table], files: Files, settings: LabelSettings) -> Recognised:
    if not settings.has_several_sources:
        check_slice_columns(
            [name for table in tables for name in table.rows.columns], settings.slice_columns
        )
    index = ImageIndex(files.names)
    places = [place for table in tables for place in _places(table, index, settings)]
    places = without_repetitions(places)
    listed = {place.path for place in places}
    names = ", ".join(table.name for table in tables)
    notes = [note for table in tables for note in table.notes]
    notes += unlisted_note(sum(name not in listed for name in files.images), names)
    own = SCHEMES[_AFFECTNET] if all(table.is_affectnet for table in tables) else None
    return Recognised(names, places, own, notes, has_columns=True)


def _places(table: _Table, index: ImageIndex, settings: LabelSettings) -> list[Place]:
    rows = table.rows
    values, found = rows.values(table.path), _found(table, index)
    labels = rows.values(table.label) if table.label else []
    splits, boxes = _splits(table), _boxes(table, settings)
    no_faces = _labels_without_face(table, settings)
    kept = [(name, rows.values(name)) for name in settings.slice_columns if name in rows.columns]
    places = []
    for number, (value, path) in enumerate(zip(values, found, strict=True)):
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


def _boxes(table: _Table, settings: LabelSettings) -> list[Box | None]:
    rows = table.rows
    if not settings.table.crop or not set(_BOX_COLUMNS) <= set(rows.columns):
        return []
    columns = [rows.values(column) for column in _BOX_COLUMNS]
    boxes = [_box(*texts) for texts in zip(*columns, strict=True)]
    labels = rows.values(table.label) if table.label else []
    no_faces = _labels_without_face(table, settings)
    return [
        None if label in no_faces else box
        for label, box in itertools.zip_longest(labels, boxes, fillvalue=None)
    ]


def _labels_without_face(table: _Table, settings: LabelSettings) -> tuple[str, ...]:
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
