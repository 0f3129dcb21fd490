"""The content of an image file as a picture; HEIC and AVIF files of phones are decoded here.

The other formats stay encoded: JPEG photos are decoded at the size that is needed.
"""

import io
from typing import TYPE_CHECKING

import numpy as np

from fer_models.inference.picture import Picture, Pixels
from fer_models.ingest.files.image_pixels import quiet_decoding

if TYPE_CHECKING:
    from PIL.Image import Image

# ISO base media files begin with the length of a box, its type and the brand of the format.
_BOX, _BRAND, _COMPATIBLE = slice(4, 8), slice(8, 12), slice(16, 64)
_HEIC = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_AVIF = (b"avif", b"avis")
_MAX_PIXELS = 80_000_000
_HEIC_MISSING = (
    "HEIC pictures need the package pillow-heif; install it (pip install pillow-heif), or save the "
    "picture as JPEG"
)
_AVIF_MISSING = (
    "this Pillow can't read AVIF; install a newer one (pip install --upgrade pillow), or save the "
    "picture as JPEG"
)
MISSING_CODECS = frozenset((_HEIC_MISSING, _AVIF_MISSING))
"""Problems of this installation, not of the picture; stored batches contain these sentences."""


def picture_of_bytes(path: str, data: bytes) -> Picture:
    """The content of an image file as a picture; one that can't be decoded has a problem."""
    if data[_BOX] != b"ftyp":
        return Picture(path, data=data)
    is_avif = data[_BRAND] in _AVIF or b"avif" in data[_COMPATIBLE]
    if not is_avif and data[_BRAND] not in _HEIC:
        return Picture(path, data=data)
    with quiet_decoding():
        pixels = _decoded(data, "AVIF" if is_avif else "HEIC")
    if isinstance(pixels, str):
        return Picture(path, problem=pixels)
    return Picture(path, pixels=pixels)


def rgb_pixels(image: "Image") -> Pixels:
    """The pixels of an 8-bit image as RGB, upright, on white where it is transparent."""
    from PIL import Image, ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(upright.convert("RGB"))


def _decoded(data: bytes, kind: str) -> Pixels | str:
    """Upright RGB pixels, or the problem and what to do about it."""
    try:
        with (_open_heic if kind == "HEIC" else _open_avif)(data) as image:
            if image.width * image.height > _MAX_PIXELS:
                return f"the picture is too large ({image.width} x {image.height}); reduce it"
            return rgb_pixels(image)
    except ModuleNotFoundError as error:
        return str(error)
    except Exception:  # noqa: BLE001 - whatever the codec raises, the file can't be decoded
        return f"not a readable {kind} picture (damaged or cut off); replace or remove it"


def _open_heic(data: bytes) -> "Image":
    try:
        from pillow_heif import open_heif
    except ImportError as error:
        raise ModuleNotFoundError(_HEIC_MISSING) from error
    opened = open_heif(io.BytesIO(data))
    if opened.size[0] * opened.size[1] > _MAX_PIXELS:
        raise ValueError(opened.size)
    image: Image = opened.to_pillow()
    return image


def _open_avif(data: bytes) -> "Image":
    from PIL import Image, features

    if not features.check("avif"):
        raise ModuleNotFoundError(_AVIF_MISSING)
    return Image.open(io.BytesIO(data), formats=("AVIF",))
