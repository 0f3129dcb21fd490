"""The faces of a picture as images for a model: the whole picture, or each face that is found."""

from collections.abc import Sequence
from dataclasses import dataclass

from fer_models.dataset.image_format import ImageFormat
from fer_models.faces.crops import (
    MAX_ANSWERED,
    MAX_FAMILIAR,
    is_filled,
    is_thumbnail,
    may_be_crop,
)
from fer_models.faces.cut import cut_face
from fer_models.faces.finder import face_finder
from fer_models.faces.found import FacesMode, FoundFace
from fer_models.faces.settings import FaceSettings
from fer_models.inference.picture import NO_FACE, UNFAMILIAR, Picture
from fer_models.ingest.files.image_decoding import PixelImage
from fer_models.ingest.files.photo_decoding import Photo

_ANY = 1.0


@dataclass(frozen=True)
class FaceImage:
    """An image for the model, and where it comes from."""

    image: PixelImage
    face: FoundFace | None = None
    """None: the whole picture."""
    max_unfamiliarity: float = _ANY
    """Above, the image is not predicted."""
    otherwise: str = ""
    """The reason for it."""


FaceImages = Sequence[FaceImage] | str
"""The faces of a picture, or why there is none."""


class FaceImageReader:
    """Reads pictures; `mode` and `settings` are those of `predict_pictures`."""

    def __init__(self, target: ImageFormat, mode: FacesMode, settings: FaceSettings) -> None:
        self._target, self._mode = target, mode
        self._find = face_finder(settings)

    def read(self, picture: Picture) -> FaceImages:
        """The face images of a picture.

        Raises:
            FerError: a face is searched for, and what the detector needs is not installed.
        """
        if self._mode == "crop":
            return self._whole(picture)
        size = picture.size
        if self._mode == "auto" and size is not None and is_thumbnail(size):
            return self._whole(picture, MAX_ANSWERED)
        photo = picture.as_photo()
        if isinstance(photo, str):
            return photo
        [found] = self._find([photo.pixels], photo.scale)
        if self._mode == "detect":
            return self._cut(photo, found, _ANY) or NO_FACE
        return self._decide(picture, photo, found)

    def _decide(self, picture: Picture, photo: Photo, found: Sequence[FoundFace]) -> FaceImages:
        height, width = photo.pixels.shape[:2]
        size = (width, height)
        if is_filled(size, found):
            return self._whole(picture, MAX_ANSWERED)
        if not found and may_be_crop(size):
            return self._whole(picture, MAX_FAMILIAR, NO_FACE)
        return self._cut(photo, found, MAX_ANSWERED) or NO_FACE

    def _whole(
        self, picture: Picture, max_unfamiliarity: float = _ANY, otherwise: str = UNFAMILIAR
    ) -> FaceImages:
        crop = picture.as_crop(self._target)
        if isinstance(crop, str):
            return crop
        return [FaceImage(crop, None, max_unfamiliarity, otherwise)]

    def _cut(
        self, photo: Photo, found: Sequence[FoundFace], max_unfamiliarity: float
    ) -> list[FaceImage]:
        return [
            FaceImage(
                cut_face(photo.pixels, face, self._target),
                face.scaled(photo.scale),
                max_unfamiliarity,
                NO_FACE,
            )
            for face in found
        ]
