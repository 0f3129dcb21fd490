"""Tell a picture that is one face, cut out, from a photo in which faces are to be found."""

from collections.abc import Sequence

from fer_models.faces.cut import face_frame
from fer_models.faces.found import FoundFace

Size = tuple[int, int]
"""Width and height in pixels."""
MAX_FAMILIAR = 0.97
"""Unfamiliarity up to which a small picture without a detected face is taken for a face."""
MAX_ANSWERED = 0.995
"""Unfamiliarity up to which `auto` gives an answer."""

_ALWAYS_CROP_PX = 64
_MAX_CROP_PX = 256
_MAX_RATIO = 1.4  # of the sides of a crop
_FILLED = 0.75  # of the shorter side


def is_thumbnail(size: Size) -> bool:
    """Whether a picture is too small to be anything but a face, such as those of FER2013."""
    return max(size) <= _ALWAYS_CROP_PX


def may_be_crop(size: Size) -> bool:
    """Whether a picture in which no face was found has the size and shape of one that was cut out.

    Detectors miss faces without surroundings; whether it shows one, a model of familiar faces says.
    """
    return max(size) <= _MAX_CROP_PX and max(size) <= _MAX_RATIO * min(size)


def is_filled(size: Size, faces: Sequence[FoundFace]) -> bool:
    """Whether the only face takes up the picture, which has the shape of one that was cut out."""
    if len(faces) != 1 or max(size) > _MAX_RATIO * min(size):
        return False
    return face_frame(faces[0]).side >= _FILLED * min(size)
