"""Choose the format of a snapshot's images: by the settings, else by the images themselves."""

import io
import statistics
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from fer_models.dataset.image_format import MAX_SIZE_PX, THUMBNAIL_PX, Fit, ImageFormat
from fer_models.ingest.config import DataConfig
from fer_models.ingest.decoding.tasks import Content, ImageFile
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.detection import SourceKind
from fer_models.ingest.files.streams import SourceFile
from fer_models.ingest.findings import Findings
from fer_models.ingest.formats.labels import LabelSettings
from fer_models.ingest.formats.parquet import first_images
from fer_models.ingest.formats.parquet_folder import shards_of
from fer_models.ingest.formats.pixel_csv import table_side
from fer_models.ingest.layouts.image_folder import ImageSource
from fer_models.ingest.locate import Source

_NUM_SAMPLED = 200
_DEFAULT_FIT: Fit = "crop"
Size = tuple[int, int]


def choose_format(
    config: DataConfig,
    sources: Sequence[Source],
    opened: Mapping[str, ImageSource],
    settings: LabelSettings,
) -> ImageFormat:
    """The format of all images of a snapshot.

    Without `data.image_size_px` it is the median of the shorter sides of up to 200 faces a source,
    from 48 to 224; for the published FER2013 and synthetic faces that is 48.
    Without `data.fit`, images are stretched if all of those are square, else cropped.
    With `data.image_size_px` nothing is sampled, and images are cropped.

    Args:
        config: the settings.
        sources: all sources.
        opened: those with images in files, by stem.
        settings: what the user says of the labels.
    """
    if config.image_size_px:
        return ImageFormat(config.image_size_px, config.channels, config.fit or _DEFAULT_FIT)
    sizes = [
        size
        for source in sources
        for size in sampled_sizes(source, opened.get(source.stem), settings)
    ]
    are_square = all(width == height for width, height in sizes)
    fit = config.fit or ("stretch" if are_square else _DEFAULT_FIT)
    return ImageFormat(_median(sizes), config.channels, fit)


def sampled_sizes(
    source: Source, opened: ImageSource | None, settings: LabelSettings
) -> list[Size]:
    """Width and height of some faces of a source: by their boxes, headers or numbers of pixels."""
    try:
        if source.kind is SourceKind.PIXEL_TABLE:
            side = table_side(source.file, settings)
            return [(side, side)] * _NUM_SAMPLED if side else []
        if source.kind in (SourceKind.PARQUET, SourceKind.PARQUET_FOLDER):
            file = _first_table(source)
            images = map(io.BytesIO, first_images(file, _NUM_SAMPLED, settings))
            return [size for image in images if (size := _size(image))]
        if opened is not None:
            return _sizes(opened)
    except (OSError, CompressionError):
        pass  # reading it reports what is wrong
    return []


def _first_table(source: Source) -> SourceFile:
    """The file of a parquet source, or the first one of a folder."""
    if source.kind is SourceKind.PARQUET:
        return source.file
    shards = shards_of(source.path, Findings(source.name))
    return SourceFile(source.path / shards[0])


def _median(sizes: Sequence[Size]) -> int:
    if not sizes:
        return THUMBNAIL_PX
    middle = round(statistics.median(min(size) for size in sizes))
    return min(max(middle, THUMBNAIL_PX), MAX_SIZE_PX)


def _sizes(opened: ImageSource) -> list[Size]:
    places = [place for place in opened.found.places if not place.missing]
    boxes = [place.box for place in places if place.box is not None]
    if boxes:
        return [(right - left, bottom - top) for left, top, right, bottom in boxes]
    contents = opened.load(_spread(sorted({place.path for place in places})))
    return [size for _, content in contents if (size := _size(_readable(content)))]


def _readable(content: Content) -> Path | io.BytesIO:
    if isinstance(content, ImageFile):
        return Path(content.path)
    return io.BytesIO(content if isinstance(content, bytes) else b"")


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
