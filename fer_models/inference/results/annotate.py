"""A folder of annotated copies of pictures."""

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath

from fer_models.errors import DataError, FerError
from fer_models.inference.picture import Picture, PicturePrediction
from fer_models.inference.results.drawing import draw_faces
from fer_models.ingest.archive_member import SEPARATOR
from fer_models.output_file import made_folders, place_problem

_SUFFIX = ".jpg"
_QUALITY = 92
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")
_MAX_NAME = 100


class AnnotatedPictures:
    """Writes a copy for each picture that can be read; names are distinct."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: set[str] = set()

    def add(self, picture: Picture, prediction: PicturePrediction) -> str:
        """Write the copy of a picture and return its file name; "" if the picture is unreadable.

        Raises:
            FerError: it can't be written.
        """
        photo = picture.as_photo()
        if isinstance(photo, str):
            return ""
        image = draw_faces(photo.pixels, prediction.faces, photo.scale, prediction.reason)
        name = self._name(picture.path)
        try:
            image.save(self._folder / name, quality=_QUALITY)
        except OSError as error:
            raise FerError(
                f"{name}: can't write the annotated picture ({error.strerror}); free some space, "
                "or choose another folder"
            ) from error
        return name

    def __len__(self) -> int:
        """Number of copies."""
        return len(self._names)

    def _name(self, path: str) -> str:
        """The name of the picture; of a second one of that name with its folder, or a number."""
        place = PurePath(path.replace(SEPARATOR, "/"))
        stem = _safe(place.stem)
        candidates = [stem, f"{_safe(place.parent.name)}-{stem}"]
        number = 2
        # Some file systems don't distinguish upper and lower case.
        while (name := candidates.pop(0)).lower() in self._names:
            candidates.append(f"{stem}-{number}")
            number += 1
        self._names.add(name.lower())
        return name + _SUFFIX


def check_annotation_folder(folder: Path) -> Path:
    """The folder that `folder` refers to, with links resolved: a new or an empty one.

    Raises:
        DataError: it holds something, which might be overwritten, or it can't be made.
    """
    target = Path(os.path.realpath(folder))
    try:
        problem = _folder_problem(target)
    except OSError as error:
        problem = f"the path can't be used ({error.strerror})"
    if problem:
        raise DataError(
            f"{folder}: expected a new or empty folder for annotated pictures, {problem}; choose "
            "another one"
        )
    return target


@contextmanager
def annotation_folder(target: Path) -> Iterator[AnnotatedPictures]:
    """A folder of annotated pictures, which appears with all of them at the end.

    Args:
        target: as `check_annotation_folder` returned it.

    Raises:
        FerError: it can't be written.
    """
    temporary = target.with_name(f".{uuid.uuid4().hex}")
    try:
        with made_folders(target):
            try:
                temporary.mkdir()
                yield AnnotatedPictures(temporary)
                if target.exists():
                    target.rmdir()
                temporary.rename(target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise FerError(
            f"{target}: can't write the annotated pictures ({error.strerror}); choose another "
            "folder"
        ) from error


def _folder_problem(target: Path) -> str:
    if target.exists():
        if not target.is_dir():
            return "it is a file"
        return "it is not empty" if any(target.iterdir()) else ""
    return place_problem(target)


def _safe(stem: str) -> str:
    return _NOT_IN_NAMES.sub("_", stem).strip(".")[:_MAX_NAME] or "picture"
