"""Read found pictures, one after the other."""

from collections.abc import Iterator
from pathlib import Path

from fer_models.inference.picture import Picture
from fer_models.inference.pictures.decode import picture_of_bytes
from fer_models.inference.pictures.find import ArchivePictures, FoundPictures
from fer_models.ingest.archive_member import SEPARATOR
from fer_models.ingest.files.archive import member_contents
from fer_models.ingest.files.compression import CompressionError
from fer_models.ingest.files.folder import read_file
from fer_models.ingest.files.image_pixels import DAMAGED_IN_ARCHIVE, MAX_FILE_BYTES


def read_pictures(found: FoundPictures) -> Iterator[Picture]:
    """The pictures in order, those of an archive in its order; unreadable ones have a problem.

    Example:
        for picture in read_pictures(find_pictures(["faces/", "more.zip"])):
            print(picture.path, picture.problem)
    """
    for source in found.sources:
        if isinstance(source, Picture):
            yield source
        elif isinstance(source, ArchivePictures):
            yield from _of_archive(source)
        else:
            yield read_picture(source)


def read_picture(path: str) -> Picture:
    """The picture in one file."""
    data = read_file(path)
    return Picture(path, problem=data) if isinstance(data, str) else picture_of_bytes(path, data)


def name_in(archive: str, member: str) -> str:
    """How results name a picture of an archive."""
    return f"{archive}{SEPARATOR}{member}"


def _of_archive(source: ArchivePictures) -> Iterator[Picture]:
    missing = dict.fromkeys(source.members)
    problem = "no longer in the archive; start again"
    try:
        for name, data in member_contents(Path(source.path), source.members, MAX_FILE_BYTES):
            missing.pop(name, None)
            path = name_in(source.path, name)
            if data is None:
                yield Picture(path, problem=DAMAGED_IN_ARCHIVE)
            else:
                yield picture_of_bytes(path, data)
    except (OSError, CompressionError) as error:
        problem = f"reading the archive stopped ({error}); check the file"
    for name in missing:
        yield Picture(name_in(source.path, name), problem=problem)
