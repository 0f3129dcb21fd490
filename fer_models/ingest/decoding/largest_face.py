"""Cut an image file to its largest face, for `data.faces=detect`."""

import functools

from fer_models.dataset.image_format import ImageFormat
from fer_models.faces.crops import is_thumbnail
from fer_models.faces.cut import cut_face
from fer_models.faces.finder import face_finder
from fer_models.faces.found import FaceFinder
from fer_models.ingest.files.image_decoding import PixelImage, decode_image
from fer_models.ingest.files.image_pixels import picture_size
from fer_models.ingest.files.photo_decoding import decode_photo

_NO_FACE = (
    "no face found in the picture; replace it, or set data.faces=none if the faces are cut out "
    "already"
)


def decode_largest_face(data: bytes, target: ImageFormat) -> PixelImage | str:
    """The largest face of a picture, or a sentence with the problem.

    A picture of at most 64 pixels a side is a face that is cut out already, as for `predict`.

    Raises:
        FerError: what the detector needs is not installed.
    """
    size = picture_size(data)
    if size is not None and is_thumbnail(size):
        return decode_image(data, target=target)
    photo = decode_photo(data)
    if isinstance(photo, str):
        return photo
    [found] = _finder()([photo.pixels], photo.scale)
    return cut_face(photo.pixels, found[0], target) if found else _NO_FACE


@functools.cache
def _finder() -> FaceFinder:
    return face_finder()
