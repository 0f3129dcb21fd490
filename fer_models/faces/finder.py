"""The face finder of a setting."""

import functools
from collections.abc import Sequence

from fer_models.faces.found import Colours, FaceFinder, FoundFace
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings


def face_finder(settings: FaceSettings = DEFAULT_FACES) -> FaceFinder:
    """A function that finds the faces of each picture, the largest first.

    Raises:
        FerError: what the detector needs is not installed.

    Example:
        find_faces = face_finder()
        [faces] = find_faces([picture_HW3])
        faces[0].box, faces[0].landmarks
    """
    return functools.partial(_find, settings=settings)


def _find(pictures: Sequence[Colours], settings: FaceSettings) -> list[list[FoundFace]]:
    return [_find_in(picture, settings) for picture in pictures]


def _find_in(picture: Colours, settings: FaceSettings) -> list[FoundFace]:
    from PIL import Image

    from fer_models.faces.mtcnn import find_with_mtcnn

    height, width = picture.shape[:2]
    scale = min(settings.max_side_px / max(height, width), 1.0)
    if scale == 1.0:
        found = find_with_mtcnn(picture, settings)
    else:
        import numpy as np

        size = (round(width * scale), round(height * scale))
        small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        min_size_px = max(12, round(settings.min_size_px * scale))
        scaled = settings.model_copy(update={"min_size_px": min_size_px})
        found = [face.scaled(1 / scale) for face in find_with_mtcnn(np.asarray(small), scaled)]
    return sorted(found, key=lambda face: -face.area)
