"""A table of images with the meaning of its columns, and the file and the split of each row."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from fer_models.classes.names import class_name
from fer_models.classes.schemes import number_of
from fer_models.dataset.snapshot import UNASSIGNED
from fer_models.ingest.config import BY_FOLDERS, BY_TABLE, TableConfig
from fer_models.ingest.files.detection import plain_name
from fer_models.ingest.formats.columns import (
    NAME_COLUMNS,
    NUMBER_COLUMNS,
    SPLIT_COLUMNS,
    ColumnError,
    chosen_column,
)
from fer_models.ingest.formats.fields import split_of, split_of_name
from fer_models.ingest.layouts.image_paths import AmbiguousPathError, ImageIndex
from fer_models.ingest.layouts.places import folder_of
from fer_models.ingest.layouts.table_rows import (
    AFFECTNET_PATH,
    PATH_COLUMNS,
    TableError,
    TableRows,
    names_image,
    read_table,
)

BOX_COLUMNS = ("face_x", "face_y", "face_width", "face_height")
_SPLIT_COLUMNS = (*SPLIT_COLUMNS, "fold", "dataset")
_KNOWN_COLUMNS = {*PATH_COLUMNS, *NAME_COLUMNS, *NUMBER_COLUMNS, *_SPLIT_COLUMNS, *BOX_COLUMNS}
_SAMPLE = 200
_NUM_SHOWN = 3


@dataclass(frozen=True)
class ImageTable:
    """A table whose columns are known."""

    name: str
    rows: TableRows
    path: str
    label: str
    split: str
    """"" if it has no column of splits."""
    named_split: str
    """The split that its own name says, or `UNASSIGNED`; it has no column of splits then."""
    splits: Sequence[str]
    """Of each row, by the column or the table's name; `UNASSIGNED` for none."""
    files: Sequence[str]
    """The file of each row; "" for one that there is not."""
    notes: Sequence[str] = ()
    """On columns and lines that are not read."""

    @property
    def is_affectnet(self) -> bool:
        """Whether it is one of AffectNet's lists, by its columns."""
        return self.path == AFFECTNET_PATH and self.label == "expression"


def image_table(name: str, content: bytes, config: TableConfig, index: ImageIndex) -> ImageTable:
    """Read a table of images, and decide what its columns are.

    Args:
        name: its path in the source.
        content: of the file.
        config: what the user says of it.
        index: the files of the source.

    Raises:
        TableError: it is damaged, or no table.
        ColumnError: its columns can't be told apart.
        AmbiguousPathError: its paths fit several files.
    """
    named_split = _split_of_table(name)
    rows, notes = _rows(name, content, config, index)
    _check_rows(rows)
    path = _path_column(name, rows, config, index)
    others = [column for column in rows.columns if column not in (path, *BOX_COLUMNS)]
    split = _split_column(rows, others, config)
    if split or config.split.lower() == BY_FOLDERS:
        named_split = UNASSIGNED
    label, more = _label_column(rows, [column for column in others if column != split], config)
    notes += [f"{name}: {note}" for note in more]
    splits = [split_of(text) for text in rows.values(split)] if split else []
    splits = splits or [named_split] * len(rows.rows)
    files = index.resolve(rows.values(path), folder_of(name), splits)
    return ImageTable(name, rows, path, label, split, named_split, splits, files, notes)


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
        hint = "; if the first line is an image's, set data.table.header=false"
        raise ColumnError(
            f"which column contains the images' paths? Name it with data.table.image: "
            f"{', '.join(rows.columns)}{hint if rows.is_text and rows.has_header else ''}"
        )
    return (with_suffix or named)[0]


def _rows(
    name: str, content: bytes, config: TableConfig, index: ImageIndex
) -> tuple[TableRows, list[str]]:
    """The rows; without a known column, the first line is a row, too, if it has an image's path."""
    rows = read_table(content, config.separator, config.header)
    is_certain = config.header is not None or bool(_KNOWN_COLUMNS & set(rows.columns))
    if is_certain or not (rows.is_text and rows.has_header):
        return rows, []
    all_lines = read_table(content, config.separator, has_header=False)
    if not any(files[0] for files in _files_by_column(name, all_lines, index).values() if files):
        return rows, []
    note = (
        f"{name}: the first line is read as an image's, because there is such a file; if it has "
        "the names of the columns, set data.table.header=true"
    )
    return all_lines, [note]


def _files_by_column(name: str, rows: TableRows, index: ImageIndex) -> dict[str, list[str]]:
    """The files that the texts of each column would be as paths; none where they are ambiguous."""
    splits = [_split_of_table(name)] * len(rows.rows)
    found: dict[str, list[str]] = {}
    for column in rows.columns:
        try:
            found[column] = index.resolve(rows.values(column), folder_of(name), splits)
        except AmbiguousPathError:
            found[column] = []
    return found


def _path_column(name: str, rows: TableRows, config: TableConfig, index: ImageIndex) -> str:
    """The column of the paths; without a header, that of the most files, if it is only one."""
    try:
        return path_column(rows, config)
    except ColumnError:
        if rows.has_header or config.image:
            raise
        by_column = _files_by_column(name, rows, index)
        found = {column: len({*files} - {""}) for column, files in by_column.items()}
        most = [column for column, count in found.items() if count == max(found.values()) > 0]
        if len(most) != 1:
            raise
        return most[0]


def _check_rows(rows: TableRows) -> None:
    if rows.ragged:
        shown = ", ".join(rows.ragged[:_NUM_SHOWN])
        raise TableError(
            f"expected {len(rows.columns)} columns in every row, got another number in "
            f"{len(rows.ragged)} ({shown}); correct them"
        )
    repeated = {name for name in rows.columns if name and rows.columns.count(name) > 1}
    if repeated:
        raise ColumnError(f"two columns have the name {min(repeated)}; rename one")


def _split_column(rows: TableRows, columns: Sequence[str], config: TableConfig) -> str:
    """The column of splits; "" for none, or if the user names another place."""
    wanted = config.split.lower()
    if wanted in (BY_TABLE, BY_FOLDERS) and wanted not in columns:
        return ""
    split = chosen_column(columns, config.split, _SPLIT_COLUMNS, "split")
    if split and not config.split and not any(map(split_of, set(rows.values(split)))):
        return ""  # numbers of folds
    return split


def _split_of_table(name: str) -> str:
    return split_of_name(posixpath.splitext(posixpath.basename(plain_name(name)))[0])


def _label_column(
    rows: TableRows, columns: Sequence[str], config: TableConfig
) -> tuple[str, list[str]]:
    """The column of labels ("" for none), names before numbers, and notes on unread numbers.

    Raises:
        ColumnError: several of these columns may be the labels, and they differ.
    """
    if config.label:
        return chosen_column(columns, config.label, (), "label"), []
    found = [column for column in (*NAME_COLUMNS, *NUMBER_COLUMNS) if column in columns]
    if not found and not rows.has_header:
        found = list(columns) if len(columns) == 1 else []
    named = [column for column in found if not _is_numbered(rows.values(column))]
    numbered = [column for column in found if column not in named]
    found = named or found
    if len({tuple(map(class_name, rows.values(column))) for column in found}) > 1:
        raise _differing(found)
    # A column such as category may be anything beside numbers: photo, drawing.
    if not named or named[0] in NAME_COLUMNS or not numbered:
        return (found[0] if found else ""), []
    for column in numbered:
        if not _gives_names(rows.values(column), rows.values(named[0])):
            raise _differing([column, named[0]])
    note = (
        f"the labels are those of the column {named[0]}, not the numbers of "
        f"{' and '.join(numbered)}, which data.table.label={numbered[0]} reads"
    )
    return named[0], [note]


def _differing(columns: Sequence[str]) -> ColumnError:
    return ColumnError(
        f"{' and '.join(columns)} may both be the labels, and they differ; name one with "
        f"data.table.label={columns[0]}"
    )


def _is_numbered(texts: Sequence[str]) -> bool:
    return any(number_of(text) is not None for text in texts)


def _gives_names(numbers: Sequence[str], names: Sequence[str]) -> bool:
    """Whether rows with the same number have the same name, so that the two may mean the same."""
    name_of: dict[str, str] = {}
    pairs = zip(numbers, map(class_name, names), strict=True)
    return all(
        name_of.setdefault(number, name) == name for number, name in pairs if number and name
    )
