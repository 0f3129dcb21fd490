"""The face finder of a setting."""

from collections.abc import Callable, Sequence

import numpy as np

from fer_models.faces.found import Colours, FaceFinder, FoundFace
from fer_models.faces.settings import DEFAULT_FACES, SHORTEST_FACE_PX, FaceSettings

# Of the reduced version of a large picture: smaller ones would take most of the time and memory.
_SMALLEST_REDUCED_PX = 20
_Find = Callable[[Colours, int], list[FoundFace]]
"""Finds the faces of a picture with sides of at least so many pixels."""


def face_finder(settings: FaceSettings = DEFAULT_FACES) -> FaceFinder:
    """A function that finds the faces of each picture, the largest first.

    Threads may share it. The detector is loaded when the first picture comes.

    Raises:
        FerError: (the function) what the detector needs is not installed.

    Example:
        find_faces = face_finder()
        [faces] = find_faces([picture_HW3])
        faces[0].box, faces[0].landmarks
    """
    loaded: list[_Find] = []

    def find_faces(pictures: Sequence[Colours], scale: float = 1.0) -> list[list[FoundFace]]:
        if not loaded:
            loaded.append(_detector(settings))
        smallest_px = settings.min_size_px / scale
        return [_find_in(one, settings.max_side_px, smallest_px, loaded[0]) for one in pictures]

    return find_faces


def _detector(settings: FaceSettings) -> _Find:
    if settings.detector == "yunet":
        from fer_models.faces.yunet import YunetFinder

        return YunetFinder(settings).find
    from fer_models.faces.mtcnn import MtcnnFinder

    return MtcnnFinder(settings).find


def _find_in(
    picture: Colours, max_side_px: int, smallest_px: float, find: _Find
) -> list[FoundFace]:
    """Find faces in the picture, or in a smaller version of a large one."""
    from PIL import Image

    height, width = picture.shape[:2]
    scale = min(max_side_px / max(height, width), 1.0)
    if scale == 1.0:
        found = find(picture, max(SHORTEST_FACE_PX, round(smallest_px)))
    else:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        min_size_px = max(_SMALLEST_REDUCED_PX, round(smallest_px * scale))
        found = [face.scaled(1 / scale) for face in find(np.asarray(small), min_size_px)]
    large = (face for face in found if face.longer_side >= smallest_px)
    return sorted(large, key=lambda face: -face.area)
