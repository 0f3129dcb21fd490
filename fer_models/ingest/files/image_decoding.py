"""Decode image files of any kind to arrays."""

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.ingest.files.image_pixels import Box, decode_pixels
from fer_models.ingest.files.resizing import to_format

PixelImage = npt.NDArray[np.uint8]
"""uint8 S x S, or S x S x 3."""


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


def _array(pixels: bytes, target: ImageFormat) -> PixelImage:
    # A copy, because an array of bytes can't be written to.
    return np.frombuffer(pixels, dtype=np.uint8).reshape(target.shape).copy()
