"""Decode photos, which are larger than the faces in them."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from fer_models.ingest.files.image_decoding import PixelImage
from fer_models.ingest.files.image_pixels import decode_with, in_mode, upright_image

if TYPE_CHECKING:
    from PIL.Image import Image

_PHOTO_SIDE_PX = 4096
# Pillow's own limit.
_MAX_JPEG_PHOTO_PIXELS = 178_000_000


class Photo(NamedTuple):
    """A decoded picture: upright RGB pixels, uint8 H x W x 3, and how many times larger it was."""

    pixels: PixelImage
    scale: float


def decode_photo(data: bytes) -> Photo | str:
    """Decode an image file to upright RGB pixels, or return a sentence with the problem.

    Files and their pixels are treated as by `decode_image`. A picture with a side of more than
    4,096 pixels is reduced by a whole factor. JPEG files, which are decoded at a fraction of their
    size, may have up to 178 megapixels, others 80.
    """
    return decode_with(data, _to_photo, _MAX_JPEG_PHOTO_PIXELS)


def _to_photo(image: "Image") -> Photo:
    full_px = max(image.size)
    # At least half as many pixels a side as asked for remain, by whole factors.
    image.draft("RGB", (_PHOTO_SIDE_PX // 2, _PHOTO_SIDE_PX // 2))
    upright = upright_image(image)
    factor = -(-max(upright.size) // _PHOTO_SIDE_PX)
    if factor > 1:
        upright = upright.reduce(factor)
    scale = full_px / max(upright.size)
    return Photo(np.array(in_mode(upright, "RGB")), scale)
