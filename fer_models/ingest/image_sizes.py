"""Choose the format of a snapshot's images: by the settings, else by the images themselves."""

import io
import statistics
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from fer_models.dataset.image_format import MAX_SIZE_PX, THUMBNAIL_PX, ImageFormat
from fer_models.ingest.config import DataConfig
from fer_models.ingest.files.archive import ArchiveMember
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.folder import list_files
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import first_images
from fer_models.ingest.formats.pixel_csv import table_side
from fer_models.ingest.layouts.image_folder import Load, archive_files, folder_files
from fer_models.ingest.layouts.places import Files
from fer_models.ingest.layouts.recognise import recognise
from fer_models.ingest.locate import Source

_NUM_SAMPLED = 200
Size = tuple[int, int]


def choose_format(
    config: DataConfig, sources: Sequence[Source], settings: LabelSettings
) -> ImageFormat:
    """The format of all images of a snapshot.

    Without `data.image_size_px` it is the median of the shorter sides of up to 200 faces a source,
    from 48 to 224; for the published FER2013 and synthetic faces that is 48.
    `data.fit` counts only if one of those is not square. With the setting nothing is sampled.
    """
    if config.image_size_px:
        return ImageFormat(config.image_size_px, config.channels, config.fit)
    sizes = [size for source in sources for size in sampled_sizes(source, settings)]
    fit = config.fit if any(width != height for width, height in sizes) else "stretch"
    return ImageFormat(_median(sizes), config.channels, fit)


def sampled_sizes(source: Source, settings: LabelSettings) -> list[Size]:
    """Width and height of some faces of a source: by their boxes, headers or numbers of pixels."""
    try:
        if source.kind is SourceKind.PIXEL_TABLE:
            side = table_side(source.file, settings)
            return [(side, side)] * _NUM_SAMPLED if side else []
        if source.kind is SourceKind.PARQUET:
            images = map(io.BytesIO, first_images(source.file, _NUM_SAMPLED, settings))
            return [size for image in images if (size := _size(image))]
        if source.kind in (SourceKind.FOLDER, SourceKind.IMAGE_LIST):
            is_list = source.kind is SourceKind.IMAGE_LIST
            root = source.path.absolute().parent if is_list else source.path
            files = folder_files(root, list_files(root, Findings("")))
            settings = settings.with_table(source.path.name) if is_list else settings
            return _sizes(files, settings, lambda names: ((root / name) for name in names))
        if source.kind is SourceKind.IMAGE_ARCHIVE:
            assert isinstance(source.file, ArchiveMember)
            files, load = archive_files(source.file)
            return _sizes(files, settings, lambda names: _contents(load, names))
    except (OSError, CompressionError):
        pass  # reading it reports what is wrong
    return []


def _median(sizes: Sequence[Size]) -> int:
    if not sizes:
        return THUMBNAIL_PX
    middle = round(statistics.median(min(size) for size in sizes))
    return min(max(middle, THUMBNAIL_PX), MAX_SIZE_PX)


def _sizes(
    files: Files,
    settings: LabelSettings,
    opened: Callable[[list[str]], Iterable[Path | io.BytesIO]],
) -> list[Size]:
    found = recognise(files, settings, Findings(""))
    places = [place for place in found.places if not place.missing] if found else []
    boxes = [place.box for place in places if place.box is not None]
    if boxes:
        return [(right - left, bottom - top) for left, top, right, bottom in boxes]
    names = _spread(sorted({place.path for place in places}))
    return [size for file in opened(names) if (size := _size(file))]


def _contents(load: Load, names: list[str]) -> Iterator[io.BytesIO]:
    for _, content in load(names):
        data = content()
        yield io.BytesIO(data if isinstance(data, bytes) else b"")


def _spread(names: Sequence[str]) -> list[str]:
    """At most `_NUM_SAMPLED` names, evenly spread."""
    step = max(1, -(-len(names) // _NUM_SAMPLED))
    return list(names[::step])


def _size(file: Path | io.BytesIO) -> Size | None:
    """Width and height by the header; None if it is no image."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(file) as image:
                width, height = image.size
                return width, height
    except Exception:  # noqa: BLE001 - reading the image reports what is wrong with it
        return None
