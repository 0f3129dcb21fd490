"""Which column of a table of images contains the labels."""

from collections.abc import Sequence

from fer_models.classes.names import class_name
from fer_models.classes.schemes import number_of
from fer_models.ingest.config import TableConfig
from fer_models.ingest.formats.columns import (
    NAME_COLUMNS,
    NUMBER_COLUMNS,
    ColumnError,
    chosen_column,
)
from fer_models.ingest.layouts.table_rows import TableRows


def label_column(
    rows: TableRows, columns: Sequence[str], config: TableConfig
) -> tuple[str, list[str]]:
    """The column of labels, names before numbers, and notes on numbers that are not read.

    Args:
        rows: the table.
        columns: those that may be the labels.
        config: what the user says of them.

    Returns:
        "" for none.

    Raises:
        ColumnError: several columns may be the labels, and they differ.
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
