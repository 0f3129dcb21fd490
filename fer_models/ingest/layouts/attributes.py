"""User columns of tables beside images whose labels come from folders, file names or lists."""

from collections.abc import Mapping
from dataclasses import replace

from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.columns import ColumnError
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.layouts.image_paths import AmbiguousPathError, ImageIndex
from fer_models.ingest.layouts.places import Files, Recognised, folder_of
from fer_models.ingest.layouts.table_columns import path_column
from fer_models.ingest.layouts.table_rows import TableError, list_candidates, read_table

_Attributes = dict[str, dict[str, str]]


def with_attributes(
    found: Recognised, files: Files, settings: LabelSettings, findings: Findings
) -> Recognised:
    """The images with the columns of `data.slice_columns` that tables beside them have.

    Example:
        # happy/1.png, sad/2.png and people.csv: path,gender
        with_attributes(found, files, settings, findings).places[0].columns  # {"gender": "f"}

    Args:
        found: the images under their layout; with columns of its own it is returned as it is.
        files: all files of the source.
        settings: the wanted columns.
        findings: receives contradictions.
    """
    if found.has_columns or not settings.slice_columns:
        return found
    attributes: _Attributes = {}
    candidates = list_candidates(files.others, files.head)
    for name, content in sorted(files.read(candidates).items()):
        try:
            _add(attributes, name, content, files, settings)
        except (TableError, AmbiguousPathError):
            continue  # another file: the columns are then reported as absent
        except ColumnError as error:
            findings.add_fault(f"{name}: {error}")
    places = [
        place._replace(columns={**place.columns, **attributes.get(place.path, {})})
        for place in found.places
    ]
    return replace(found, places=places) if attributes else found


def _add(
    attributes: _Attributes, name: str, content: bytes, files: Files, settings: LabelSettings
) -> None:
    """Add the wanted columns of one table, by the paths of its images.

    Raises:
        ColumnError: two rows of an image differ.
    """
    rows = read_table(content, settings.table.separator)
    wanted = [column for column in settings.slice_columns if column in rows.columns]
    if not wanted:
        return
    values = rows.values(path_column(rows, settings.table))
    paths = ImageIndex(files.names).resolve(values, folder_of(name), [""] * len(values))
    texts = {column: rows.values(column) for column in wanted}
    for number, path in enumerate(paths):
        here = {column: texts[column][number].strip() for column in wanted}
        if path:
            known = attributes.setdefault(path, {})
            _check_same(path, known, here, rows.where[number])
            known |= here


def _check_same(path: str, known: Mapping[str, str], here: Mapping[str, str], where: str) -> None:
    for column, text in here.items():
        if known.get(column, text) != text:
            raise ColumnError(
                f"{where} gives {path} another {column}, {text!r}, than {known[column]!r}; "
                "correct one of them"
            )
