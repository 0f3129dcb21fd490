"""Cut faces out of pictures as FER2013 shows them: upright, square, from brow to chin.

How much of a face the cut shows was measured, see `docs/faces.md`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import REDUCING_GAP, ImageFormat
from fer_models.faces.found import Colours, FoundFace

# Where the five points are in FER2013's images, in shares of the side.
_LANDMARKS = np.array(
    [[0.315, 0.393], [0.685, 0.393], [0.5, 0.603], [0.345, 0.775], [0.655, 0.775]]
)
_MARGIN = 0.9
# Sampled at several times the size of the cut, so that nothing is lost where a face is large.
_MAX_OVERSAMPLING = 8


class Frame(NamedTuple):
    """The square to cut: centre and side in pixels, and by how much it is rotated clockwise."""

    centre: npt.NDArray[np.float64]
    side: float
    angle_rad: float


def cut_face(picture: Colours, face: FoundFace, target: ImageFormat) -> Colours:
    """The face, uint8 in the format of a model; the picture's edge goes on outside of it.

    Example:
        [found] = find_faces([picture_HW3])
        cut_face(picture_HW3, found[0], THUMBNAIL).shape  # (48, 48)
    """
    return cut_frame(picture, face_frame(face), target)


def cut_frame(picture: Colours, frame: Frame, target: ImageFormat) -> Colours:
    """What a square shows, see `cut_face`."""
    from PIL import Image

    side = target.size_px * int(np.clip(np.ceil(frame.side / target.size_px), 1, _MAX_OVERSAMPLING))
    part, corner = _surroundings(picture, frame)
    step = frame.side / side
    across, down = step * np.cos(frame.angle_rad), step * np.sin(frame.angle_rad)
    x, y = frame.centre - corner - np.array([across - down, down + across]) * side / 2
    square = (
        Image.fromarray(part)
        .convert("L" if target.channels == 1 else "RGB")
        .transform(
            (side, side),
            Image.Transform.AFFINE,
            (across, -down, x, down, across, y),
            Image.Resampling.BICUBIC,
        )
    )
    size = (target.size_px, target.size_px)
    small = square.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    return np.array(small).reshape(target.shape)


def face_frame(face: FoundFace) -> Frame:
    """The square of a face; without landmarks it is upright and as large as the box.

    Detectors are less sure of either: centre and side are the averages of those of the box, and of
    the similarity transform that maps FER2013's mean landmarks to those of the face.
    """
    box = np.array(face.box, dtype=np.float64)
    centre, side = (box[:2] + box[2:]) / 2, float((box[2:] - box[:2]).max())
    if not face.landmarks:
        return Frame(centre, max(_MARGIN * side, 1.0), 0.0)
    fitted = _fit_landmarks(np.array(face.landmarks))
    middle = (centre + fitted.centre) / 2
    return Frame(middle, max(_MARGIN * (side + fitted.side) / 2, 1.0), fitted.angle_rad)


def _fit_landmarks(landmarks: npt.NDArray[np.float64]) -> Frame:
    """The square whose mean landmarks are closest to those of a face (least squares)."""
    # As complex numbers, a rotation with scaling is a factor.
    mean, found = (points @ np.array([1, 1j]) for points in (_LANDMARKS, landmarks))
    from_mean = mean - mean.mean()
    factor = np.vdot(from_mean, found - found.mean()) / np.vdot(from_mean, from_mean)
    centre = found.mean() + factor * ((0.5 + 0.5j) - mean.mean())
    return Frame(np.array([centre.real, centre.imag]), float(abs(factor)), float(np.angle(factor)))


def _surroundings(picture: Colours, frame: Frame) -> tuple[Colours, npt.NDArray[np.int64]]:
    """The part of the picture around a frame, and its top left corner."""
    reach = int(np.ceil(frame.side * np.sqrt(0.5))) + 2
    corner = np.floor(frame.centre).astype(np.int64) - reach
    columns, rows = (
        np.clip(np.arange(start, start + 2 * reach), 0, length - 1)
        for start, length in zip(corner, (picture.shape[1], picture.shape[0]), strict=True)
    )
    return picture[rows[:, None], columns], corner
