"""Every row of one source with its id and image, in the order of the source, without labels.

A row is a row of a table, or a picture of a folder or archive, sorted by path. N rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fer_models.classes.names import class_name
from fer_models.dataset.image_format import THUMBNAIL, ImageFormat, Pixels
from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.inference.submission.row_ids import column_ids, table_has_labels
from fer_models.ingest.config import NONE, TableConfig
from fer_models.ingest.decoding.decoder import Decoder
from fer_models.ingest.files.archive import ArchiveMember
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import SourceKind, is_utf8
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import read_parquet_table
from fer_models.ingest.formats.parquet_folder import read_parquet_folder
from fer_models.ingest.formats.pixel_csv import read_pixel_table
from fer_models.ingest.image_buffer import image_array
from fer_models.ingest.layouts.image_folder import (
    Load,
    archive_files,
    decoded_places,
    folder_files,
    folder_loader,
)
from fer_models.ingest.layouts.places import Files, Place
from fer_models.ingest.layouts.recognise import recognise
from fer_models.ingest.locate import Source, locate_sources

ROW_NUMBER, PICTURE = "row", "picture"
_TABLES = {
    SourceKind.PIXEL_TABLE: read_pixel_table,
    SourceKind.PARQUET: read_parquet_table,
    SourceKind.PARQUET_FOLDER: read_parquet_folder,
}
_PICTURES = (SourceKind.FOLDER, SourceKind.IMAGE_ARCHIVE, SourceKind.IMAGE_LIST)
_NOT_UTF8 = "expected a file name in UTF-8; rename it"
_WITHOUT_LABELS = TableConfig(label=NONE, split=NONE)


@dataclass(frozen=True)
class SourceRows:
    """All N rows of a source, in its order."""

    name: str
    ids: tuple[str, ...]
    """Values of the column of ids; else paths of pictures, or row numbers from 0.

    Pictures have row numbers, too, if several rows name the same one.
    """
    id_name: str
    images: Images
    has_labels: bool
    """Whether the source has labels, which were ignored."""

    def __len__(self) -> int:
        """N."""
        return len(self.ids)


@dataclass(frozen=True)
class _Content:
    """The images of a source that could be read, and what each of its rows is."""

    images: Images
    num_rows: int
    paths: Sequence[str]
    """Of the pictures; empty for a table of images."""
    has_labels: bool

    @property
    def has_unique_paths(self) -> bool:
        """Whether paths tell the rows apart: several faces of a picture share its path."""
        return 0 < len(self.paths) == len(set(self.paths))


def read_source_rows(
    named: str, image_format: ImageFormat = THUMBNAIL, id_column: str = ""
) -> SourceRows:
    """Read every row of a table, folder or archive, also in a bucket; labels are ignored.

    Example:
        rows = read_source_rows("test.csv")
        len(rows), rows.images.shape  # 7178, (7178, 48, 48)

    Args:
        named: the source, as for ingest.
        image_format: of the images, that of the model.
        id_column: column of a table with unique ids; "" for row numbers or paths.

    Raises:
        DataError: lists the problems of the source, and the rows that have no usable image.
    """
    source, findings = _located(named)
    content: _Content | None = None
    ids: tuple[str, ...] = ()
    try:
        if not findings.faults:
            content = _content(source, findings, image_format)
        if content is not None and not findings.faults:
            ids = _ids(source, content, id_column, findings)
    except (OSError, CompressionError) as error:
        findings.add_fault(f"reading stopped ({error}); check the file")
    _raise_problems(findings, content.num_rows if content is not None else 0)
    assert content is not None
    if not len(content.images) == content.num_rows == len(ids):
        raise AssertionError(
            f"{content.num_rows} rows, {len(content.images)} images, {len(ids)} ids"
        )
    id_name = id_column or (PICTURE if content.has_unique_paths else ROW_NUMBER)
    return SourceRows(source.name, ids, id_name, content.images, content.has_labels)


def check_source(named: str) -> None:
    """Check that a source exists and has a known format, without reading it.

    Raises:
        DataError: it does not.
    """
    _, findings = _located(named)
    _raise_problems(findings, 0)


def _located(named: str) -> tuple[Source, Findings]:
    [(source, findings)] = locate_sources([named])
    if not findings.faults and source.kind not in (*_TABLES, *_PICTURES):
        findings.add_fault(
            "expected a table of pixels or images, or a folder or archive of pictures, got "
            f"{source.kind.value if source.kind else 'none'}; name one of them"
        )
    return source, findings


def _content(source: Source, findings: Findings, image_format: ImageFormat) -> _Content | None:
    settings = LabelSettings(table=_WITHOUT_LABELS, image_format=image_format, ignored=True)
    if source.kind not in _TABLES:
        return _pictures(source, findings, settings)
    table = _TABLES[source.kind](source.file, findings, settings)
    if table is None:
        return None
    # Labels, splits and ids of rows don't matter here.
    findings.bad_rows = [bad for bad in findings.bad_rows if not bad.has_image]
    return _Content(table.images, table.num_rows, (), table_has_labels(source))


def _pictures(source: Source, findings: Findings, settings: LabelSettings) -> _Content | None:
    files, load = _files(source, findings)
    places = _places(source, files, settings, findings)
    if findings.faults or not places:
        findings.faults = findings.faults or ["expected pictures, got none; name their folder"]
        return None
    # The faces of a picture are decoded together, so the rows of a picture have to be neighbours.
    order = sorted(range(len(places)), key=lambda row: places[row].path)
    order = [row for row in order if not places[row].missing]
    present = [places[row] for row in order]
    with Decoder() as decoder:
        decoded = decoded_places(present, load, source.name, settings.image_format, decoder)
    broken = {order[position]: problem for position, problem in decoded.problems.items()}
    for row, place in enumerate(places):
        if problem := place.missing or broken.get(row, ""):
            where = f"{place.where} ({place.path})" if place.where else place.path
            findings.add_bad_row(row, where, [problem], place.path)
    images = _in_row_order(decoded.images, order, settings.image_format)
    paths = [place.path for place in places]
    return _Content(images, len(places), paths, _have_labels(source, files))


def _in_row_order(images: Pixels, order: Sequence[int], image_format: ImageFormat) -> Pixels:
    """The images sorted by their rows, of which `order` has one for each image."""
    by_row = sorted(range(len(order)), key=order.__getitem__)
    if by_row == [*range(len(order))]:
        return images
    result = image_array(len(order), image_format)
    for target, position in enumerate(by_row):
        result[target] = images[position]
    return result


def _files(source: Source, findings: Findings) -> tuple[Files, Load]:
    """The files of a folder or archive, or beside a table of images."""
    if source.kind is SourceKind.IMAGE_ARCHIVE:
        assert isinstance(source.file, ArchiveMember)
        return archive_files(source.file)
    is_list = source.kind is SourceKind.IMAGE_LIST
    root = source.path.absolute().parent if is_list else source.path
    return folder_files(root, list_files(root, findings)), folder_loader(root)


def _places(
    source: Source, files: Files, settings: LabelSettings, findings: Findings
) -> Sequence[Place]:
    """The rows of a table of images, in its order; else all pictures, sorted by path."""
    if source.kind is SourceKind.IMAGE_LIST:
        found = recognise(files, settings.with_table(source.path.name), findings)
        return found.places if found is not None else ()
    return [Place(name, missing="" if is_utf8(name) else _NOT_UTF8) for name in files.images]


def _have_labels(source: Source, files: Files) -> bool:
    """Whether pictures have labels, by a table or by names of folders that are known."""
    settings = LabelSettings()
    if source.kind is SourceKind.IMAGE_LIST:
        settings = settings.with_table(source.path.name)
    found = recognise(files, settings, Findings(source.name))
    places = found.places if found is not None else ()
    return any(
        place.label is not None and (place.where or settings.is_known(class_name(place.label)))
        for place in places
    )


def _ids(source: Source, content: _Content, id_column: str, findings: Findings) -> tuple[str, ...]:
    if id_column:
        return column_ids(source, id_column, findings)
    if content.has_unique_paths:
        return tuple(content.paths)
    return tuple(map(str, range(content.num_rows)))


def _raise_problems(findings: Findings, num_rows: int) -> None:
    lines = findings.lines(with_rows=True)
    if not lines:
        return
    if findings.faults:
        message = "the data can't be read; correct what is listed"
    else:
        message = (
            f"{len(findings.bad_rows):,} of {num_rows:,} rows have no usable image, and every row "
            "needs a prediction; correct what is listed"
        )
    raise DataError(message, lines)
