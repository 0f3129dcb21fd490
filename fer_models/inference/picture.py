"""Pictures to predict, wherever they come from, and what was predicted in them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import ImageFormat
from fer_models.faces.found import Box, Point
from fer_models.ingest.files.image_decoding import (
    PixelImage,
    convert_pixels,
    decode_image,
)
from fer_models.ingest.files.image_pixels import picture_size
from fer_models.ingest.files.photo_decoding import Photo, decode_photo

Pixels = npt.NDArray[np.uint8]
NO_FACE = "no face found; if the whole picture is one face, use the mode crop (--faces crop)"
UNFAMILIAR = (
    "does not look like a face that the model was trained on; if it is one, use the mode crop "
    "(--faces crop)"
)
NO_FACE_REASONS = (NO_FACE, UNFAMILIAR)
"""The reasons of a picture that could be read and shows no face."""


@dataclass(frozen=True)
class Picture:
    """A picture: the content of an image file, or pixels.

    Example:
        Picture("me.jpg", data=Path("me.jpg").read_bytes())
        Picture("frame 17", pixels=frame_HWC)  # uint8, RGB
    """

    path: str
    """Its name in results: a path, a name in an archive, the number of a frame."""
    data: bytes | None = None
    pixels: Pixels | None = None
    """uint8 H x W (grey) or H x W x 3 (RGB), upright."""
    problem: str = ""
    """Why there is neither, and what to do about it; it becomes the reason for no face."""

    @property
    def num_bytes(self) -> int:
        """Of its content, in memory."""
        return len(self.data or b"") if self.pixels is None else int(self.pixels.nbytes)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels; None if it can't be read."""
        if self.pixels is not None:
            height, width = self.pixels.shape[:2]
            return width, height
        return picture_size(self.data or b"")

    def as_crop(self, target: ImageFormat) -> PixelImage | str:
        """The whole picture in a format, or a sentence with the problem; see `decode_image`."""
        if self.problem:
            return self.problem
        if self.pixels is not None:
            return convert_pixels(self.pixels, target)
        return decode_image(self.data or b"", target=target)

    def as_photo(self) -> Photo | str:
        """The picture in RGB, or a sentence with the problem; see `decode_photo`."""
        if self.problem:
            return self.problem
        if self.pixels is None:
            return decode_photo(self.data or b"")
        is_grey = self.pixels.ndim == 2
        return Photo(np.stack([self.pixels] * 3, axis=2) if is_grey else self.pixels, 1.0)


@dataclass(frozen=True)
class PredictedFace:
    """A face and its expression; probabilities are 0..1 and sum to 1."""

    label: str
    """The most probable class."""
    confidence: float
    """Its probability."""
    probabilities: Mapping[str, float]
    """Of every class, in class order."""
    box: Box | None = None
    """None: the whole picture is the face."""
    landmarks: tuple[Point, ...] = ()
    """Left eye, right eye, nose, left and right corner of the mouth; empty for a crop."""
    detection_score: float | None = None
    """Confidence of the face detector, 0..1; None for a crop."""
    unfamiliarity: float | None = None
    """0..1; see `ExpressionModel`. None: the model does not know."""

    def as_dict(self) -> dict[str, Any]:
        """As in JSON output; `box` and `landmarks` are lists of pixels."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "probabilities": dict(self.probabilities),
            "box": None if self.box is None else list(self.box),
            "landmarks": [list(point) for point in self.landmarks],
            "detection_score": self.detection_score,
            "unfamiliarity": self.unfamiliarity,
        }


@dataclass(frozen=True)
class PicturePrediction:
    """The faces of a picture, or the reason why there is none."""

    path: str
    faces: tuple[PredictedFace, ...]
    reason: str = ""
    """Why there is no face: none was found, or the picture can't be read; "" if there are faces."""

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.faces)

    def __iter__(self) -> Iterator[PredictedFace]:
        """The faces."""
        return iter(self.faces)

    def __getitem__(self, number: int) -> PredictedFace:
        """The face of a number, from 0."""
        return self.faces[number]

    def as_dict(self) -> dict[str, Any]:
        """As in JSON output."""
        return {
            "path": self.path,
            "faces": [face.as_dict() for face in self.faces],
            "reason": self.reason,
        }
