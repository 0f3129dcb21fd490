"""Where pictures are: files below folders, and objects below prefixes of buckets."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from fer_models.batch.config import PredictionConfig
from fer_models.errors import ConfigError, DataError, FerError
from fer_models.inference.pictures.kinds import is_picture_name
from fer_models.ingest.files.folder import list_files, read_file
from fer_models.ingest.files.image_pixels import too_many_bytes
from fer_models.ingest.files.remote import is_url, source_of_url
from fer_models.ingest.findings import Findings
from fer_models.redaction import without_credentials
from fer_models.storage.s3.source import S3Source
from fer_models.user_input import printable, user_path

GONE = "the picture was removed before it was read"
_THREADS = 8


@dataclass(frozen=True)
class Place:
    """A picture that has not been read."""

    path: str
    """Absolute path or URL."""
    state: str
    """Size and time of a file, size and ETag of an object: another one means another picture."""
    source: S3Source | None = None
    key: str = ""
    """Of the object, below the source."""


def check_named(config: PredictionConfig) -> None:
    """Check that there is something to look at.

    Raises:
        ConfigError: no pictures are named.
    """
    if not config.pictures:
        raise ConfigError(
            "expected folders of pictures to predict, got none; name them, or set "
            "prediction.pictures in the recipe"
        )


def list_places(paths: Sequence[str]) -> list[Place]:
    """The pictures at paths and below folders and prefixes, without repeated ones.

    Of a folder, files with the name of a picture count; hidden files and other files do not. A file
    that is named itself always counts. Nothing is read or downloaded.

    Raises:
        DataError: lists all paths that don't exist or can't be listed.
    """
    found: dict[str, Place] = {}
    problems: list[str] = []
    for path in paths:
        try:
            places = _in_bucket(path) if is_url(path) else _on_disk(path)
        except FerError as error:
            shown = printable(without_credentials(path) or "''")
            problems += [f"{shown}: {fault}" for fault in error.problems or (error.message,)]
        else:
            found |= {place.path: place for place in places}
    if problems:
        raise DataError("expected pictures and folders of pictures", problems)
    return list(found.values())


def read_places(places: Sequence[Place]) -> Iterator[bytes | str]:
    """The content of each picture, or why it can't be read."""
    contents: dict[str, bytes | str] = {}
    for source in {place.source for place in places}:
        ours = [place for place in places if place.source is source]
        contents |= _read_objects(source, ours) if source else _read_files(ours)
    yield from (contents[place.path] for place in places)


def _on_disk(named: str) -> list[Place]:
    path = user_path(named) if named else None
    if path is None or not path.exists():
        raise DataError("no such file or folder; check the spelling")
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links keep their names
    if not absolute.is_dir():
        return [_file(absolute)]
    findings = Findings(named)
    files = [absolute / name for name in list_files(absolute, findings) if is_picture_name(name)]
    if findings.faults:
        raise DataError("the folder can't be listed", findings.faults)
    return [_file(file) for file in files]


def _file(path: Path) -> Place:
    try:
        status = path.stat()
        return Place(str(path), f"{status.st_size}-{status.st_mtime_ns}")
    except OSError:  # a link that leads nowhere, or a file that was removed: reading says which
        return Place(str(path), "missing")


def _in_bucket(url: str) -> list[Place]:
    source = source_of_url(url)
    return [
        Place(f"{source.url}/{key}" if key else source.url, f"{one.size}-{one.etag}", source, key)
        for key, one in source.objects().items()
        if not key or is_picture_name(key)
    ]


def _read_files(places: Sequence[Place]) -> dict[str, bytes | str]:
    with ThreadPoolExecutor(_THREADS) as pool:
        contents = pool.map(read_file, [place.path for place in places])
        return dict(zip([place.path for place in places], contents, strict=True))


def _read_objects(source: S3Source, places: Sequence[Place]) -> dict[str, bytes | str]:
    too_large = {
        place.path: problem
        for place in places
        if (problem := too_many_bytes(int(place.state.partition("-")[0])))
    }
    wanted = [place for place in places if place.path not in too_large]
    read = source.read([place.key for place in wanted])
    contents = [GONE if content is None else content for content in read]
    return too_large | dict(zip([place.path for place in wanted], contents, strict=True))
