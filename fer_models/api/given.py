"""The pictures that a call was given: paths and objects, one or several."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from fer_models.errors import DataError
from fer_models.inference.picture import Picture
from fer_models.inference.pictures.find import (
    ArchivePictures,
    FoundPictures,
    PictureSource,
    find_pictures,
)
from fer_models.inference.pictures.objects import picture_of
from fer_models.inference.pictures.read import read_pictures
from fer_models.ingest.archive_member import SEPARATOR

Source = Callable[[], Picture]
Given = tuple[Picture, Source | None]
"""A picture, and how to get it again; None: it is not kept."""
_VIDEO_HINT = "fer_models.predict_video reads it"


def is_one(pictures: Any) -> bool:
    """Whether a call was given one picture: a path, bytes, a file, or an object with pixels."""
    is_object = any(hasattr(pictures, name) for name in ("shape", "getbands", "read"))
    return is_object or isinstance(pictures, str | os.PathLike | bytes | bytearray | memoryview)


def given_picture(value: Any) -> Given:
    """The picture of a path or an object.

    Raises:
        DataError: it is the path of several pictures or of none, or no picture.
    """
    if not isinstance(value, str | os.PathLike):
        return picture_of(value, "picture"), functools.partial(picture_of, value, "picture")
    path = os.fspath(value)
    [source, *others] = _find(path).sources
    if others or isinstance(source, ArchivePictures) or os.path.isdir(path):  # noqa: PTH112
        raise DataError(
            f"{path}: expected one picture, got a folder, archive or pattern of pictures; pass it "
            f"in a list, predict([{path!r}])"
        )
    return next(_read(source))


def given_pictures(values: Iterable[Any]) -> Iterator[Given]:
    """The pictures of each path or object; those of an iterator are not kept.

    Raises:
        DataError: lists the paths that don't exist; those of an iterator, and objects that are no
            pictures, as they come.
    """
    if isinstance(values, Iterator):
        for number, value in enumerate(values):
            for picture, _ in _several(value, number, None):
                yield picture, None
        return
    known = list(values)
    found: list[FoundPictures | None] = []
    problems: list[str] = []
    for value in known:
        try:
            found.append(_find(os.fspath(value)) if _is_path(value) else None)
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError("expected pictures, and folders or archives of pictures", problems)
    for number, (value, place) in enumerate(zip(known, found, strict=True)):
        yield from _several(value, number, place)


def _several(value: Any, number: int, found: FoundPictures | None) -> Iterator[Given]:
    if _is_path(value):
        for source in (found or _find(os.fspath(value))).sources:
            yield from _read(source)
        return
    name = f"picture {number}"
    yield picture_of(value, name), functools.partial(picture_of, value, name)


def _is_path(value: Any) -> bool:
    return isinstance(value, str | os.PathLike)


def _find(path: str) -> FoundPictures:
    return find_pictures([path], _VIDEO_HINT)


def _read(source: PictureSource) -> Iterator[Given]:
    for picture in read_pictures(FoundPictures((source,))):
        yield picture, functools.partial(_read_again, source, picture.path)


def _read_again(source: PictureSource, path: str) -> Picture:
    if isinstance(source, ArchivePictures):
        source = ArchivePictures(source.path, (path.removeprefix(source.path + SEPARATOR),))
    return next(read_pictures(FoundPictures((source,))))
