"""Decode image files of any kind to arrays."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.ingest.files.image_pixels import (
    Box,
    decode_pixels,
    decoded,
    in_mode,
    to_format,
    upright_image,
)

if TYPE_CHECKING:
    from PIL.Image import Image

PixelImage = npt.NDArray[np.uint8]
"""uint8 S x S, or S x S x 3."""
_PHOTO_SIDE_PX = 4096


class Photo(NamedTuple):
    """A decoded picture: upright RGB pixels, uint8 H x W x 3, and how many times larger it was."""

    pixels: PixelImage
    scale: float


def decode_image(
    data: bytes, box: Box | None = None, target: ImageFormat = THUMBNAIL
) -> PixelImage | str:
    """Decode an image file to an array, by default of 48 x 48 grey values; see `decode_pixels`.

    Example:
        image = decode_image(Path("face.jpg").read_bytes())
        if isinstance(image, str):
            print(image)  # why it can't be used

    Returns:
        uint8 S x S or S x S x 3, or a sentence with the problem and what to do about it.
    """
    pixels = decode_pixels(data, box, target)
    return pixels if isinstance(pixels, str) else _array(pixels, target)


def decode_photo(data: bytes) -> Photo | str:
    """Decode an image file to upright RGB pixels, or return a sentence with the problem.

    Files and their pixels are treated as by `decode_image`. A picture with a side of more than
    `_PHOTO_SIDE_PX` is reduced by a whole factor.
    """
    return decoded(data, _to_photo)


def convert_pixels(pixels: PixelImage, target: ImageFormat) -> PixelImage:
    """Upright pixels, H x W grey or H x W x 3 RGB, as an image file with them would become."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    mode = "L" if target.channels == 1 else "RGB"
    return _array(to_format(image if image.mode == mode else image.convert(mode), target), target)


def convert_all(images: PixelImage, target: ImageFormat) -> PixelImage:
    """Grey images N x S x S in another format; images of that format are returned as they are."""
    if images.shape[1:] == target.shape:
        return images
    result = np.zeros((len(images), *target.shape), dtype=np.uint8)
    for position, image in enumerate(images):
        result[position] = convert_pixels(image, target)
    return result


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


def _array(pixels: bytes, target: ImageFormat) -> PixelImage:
    # A copy, because an array of bytes can't be written to.
    return np.frombuffer(pixels, dtype=np.uint8).reshape(target.shape).copy()
