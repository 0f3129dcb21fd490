"""Decode image files of any kind to pixels of one format."""

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import REDUCING_GAP, THUMBNAIL, Fit, ImageFormat

if TYPE_CHECKING:
    from PIL.Image import Image

PixelImage = npt.NDArray[np.uint8]
"""uint8 S x S, or S x S x 3."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a face, in pixels of the upright image."""

# Not every format that Pillow supports: some start other programs, and none of those is common.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# Close to Pillow's own warning limit: decoding more would take gigabytes.
_MAX_PIXELS = 80_000_000
_MAX_SIDE_PX = 20_000
MAX_FILE_BYTES = 256 << 20
# Cameras and scanners store these bit depths in 16 or 32 bits.
_DEPTHS = (8, 10, 12, 14, 16)
_DARK_AT_16_BITS = 64
_OPAQUE = 255
_MAX_BEYOND = 0.25
# What Pillow reads the orientation of a JPEG file from.
_ROTATED_BY = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
_DRAFT_FACTOR = 4
_PADDING = 128
_TOO_LARGE = "the image is far too large to be a face"
_REMEDY = "replace or remove it"
# Exceptions of Pillow's decoders on damaged files, found by fuzzing.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    OverflowError,
    MemoryError,
    RuntimeError,
    AttributeError,
    struct.error,
    zlib.error,
)

DAMAGED_IN_ARCHIVE = "damaged inside the archive; pack or download it again"


class _UnsupportedError(ValueError):
    """A valid image whose pixels can't be mapped to 8 bits."""


class _BoxError(ValueError):
    """A face box outside the image."""


Decoded = TypeVar("Decoded")


def decode_image(
    data: bytes, box: Box | None = None, target: ImageFormat = THUMBNAIL
) -> PixelImage | str:
    """Decode an image file to uint8 pixels of a format, by default 48 x 48 grey values.

    JPEG, PNG, BMP, GIF, WEBP, TIFF or PPM of any mode and size is rotated as its EXIF data says,
    composited on white where it is transparent, converted to grey (ITU-R 601 luma) or RGB, made
    square as `target.fit` says, and resized with Lanczos antialiasing. An image of the right format
    is kept bit for bit; of an animation the first frame is used. With a box, only that part of the
    image is.

    Example:
        image = decode_image(Path("face.jpg").read_bytes())
        if isinstance(image, str):
            print(image)  # why it can't be used

    Returns:
        The image, or a sentence with the problem and what to do about it.
    """
    return decode_with(data, lambda image: _to_pixels(image, box, target))


def decode_with(
    data: bytes, decode: "Callable[[Image], Decoded]", max_jpeg_pixels: int = _MAX_PIXELS
) -> "Decoded | str":
    """What a function makes of the opened image file, or a sentence with the problem."""
    from PIL import Image

    if not data:
        return f"the image is empty (0 bytes); {_REMEDY}"
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            limit = max_jpeg_pixels if image.format == "JPEG" else _MAX_PIXELS
            if image.width * image.height > limit or max(image.size) > _MAX_SIDE_PX:
                return f"{_TOO_LARGE} ({image.width} x {image.height}); {_REMEDY}"
            return decode(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"{_TOO_LARGE}; {_REMEDY}"
    except _BoxError as error:
        return str(error)
    except _DECODING_ERRORS as error:
        return f"not a readable image ({_reason(error)}); {_REMEDY}"


def too_many_bytes(size: int) -> str:
    """The problem of an image file of `size` bytes; "" if it may be read."""
    if size <= MAX_FILE_BYTES:
        return ""
    return f"{_TOO_LARGE} ({size:,} bytes); {_REMEDY}"


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of an image file by its header; None if `decode_image` rejects it anyway."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, *_DECODING_ERRORS):
        return None


def _to_pixels(image: "Image", box: Box | None, target: ImageFormat) -> PixelImage:
    # JPEG is decoded at a fraction of its size: photographs load several times faster.
    if box is None:
        side = _DRAFT_FACTOR * target.size_px
        image.draft("L" if target.channels == 1 else "RGB", (side, side))
    upright = upright_image(image)
    if box is not None:
        upright = upright.crop(_inside(box, upright.size))
    return _to_format(in_mode(upright, "L" if target.channels == 1 else "RGB"), target)


def in_mode(image: "Image", mode: str) -> "Image":
    """The image in `L` or `RGB`, on white where it is transparent."""
    opaque = _without_transparency(image)
    return opaque if opaque.mode == mode else opaque.convert(mode)


def upright_image(image: "Image") -> "Image":
    """The loaded image as it is to be seen, in 8 bits."""
    from PIL import Image, ImageOps

    has_wide_colours = _has_wide_colours(image)
    image.load()
    # Looking for a rotation and copying the pixels would take a tenth of the time of a small image.
    if image.format != "JPEG" or not _ROTATED_BY.isdisjoint(image.info):
        ImageOps.exif_transpose(image, in_place=True)
    upright: Image.Image = image
    if upright.mode == "F":
        raise _UnsupportedError("floating-point pixels, expected 8 bits")
    if upright.mode.startswith("I"):
        # A PGM file declares its depth, and Pillow has scaled it to 16 bits.
        depth = _DEPTHS[-1] if image.format == "PPM" else 0
        upright = Image.fromarray(_to_eight_bits(np.asarray(upright), depth))
    if has_wide_colours and np.asarray(upright.convert("RGB")).max() < _DARK_AT_16_BITS:
        raise _UnsupportedError("16-bit colours in which only low values are used, expected 8 bits")
    return upright


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in the image; detectors reach a little beyond it."""
    left, top, right, bottom = box
    width, height = size
    slack = _MAX_BEYOND * max(right - left, bottom - top)
    inner = (max(left, 0), max(top, 0), min(right, width), min(bottom, height))
    if (
        max(-left, -top, right - width, bottom - height) > slack
        or min(inner[2] - inner[0], inner[3] - inner[1]) < 1
    ):
        raise _BoxError(
            f"the face box {','.join(map(str, box))} does not fit into {width} x {height} pixels; "
            "correct it, or set data.table.crop=false if the faces are cut out already"
        )
    return inner


def convert_pixels(pixels: PixelImage, target: ImageFormat) -> PixelImage:
    """Upright pixels, H x W grey or H x W x 3 RGB, as an image file with them would become."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    mode = "L" if target.channels == 1 else "RGB"
    return _to_format(image if image.mode == mode else image.convert(mode), target)


def convert_all(images: PixelImage, target: ImageFormat) -> PixelImage:
    """Grey images N x S x S in another format; images of that format are returned as they are."""
    if images.shape[1:] == target.shape:
        return images
    result = np.zeros((len(images), *target.shape), dtype=np.uint8)
    for position, image in enumerate(images):
        result[position] = convert_pixels(image, target)
    return result


def _to_format(image: "Image", target: ImageFormat) -> PixelImage:
    from PIL import Image

    size = (target.size_px, target.size_px)
    if image.size != size:
        square = _square(image, target.fit)
        image = square.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    # Half the time of `np.array(image)`.
    return np.frombuffer(image.tobytes(), dtype=np.uint8).reshape(target.shape).copy()


def _square(image: "Image", fit: Fit) -> "Image":
    """The image to resize: cut to its centre, with grey borders, or as it is."""
    from PIL import Image

    width, height = image.size
    if width == height or fit == "stretch":
        return image
    if fit == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return image.crop((left, top, left + side, top + side))
    side = max(width, height)
    padded = Image.new(image.mode, (side, side), _PADDING if image.mode == "L" else (_PADDING,) * 3)
    padded.paste(image, ((side - width) // 2, (side - height) // 2))
    return padded


def _to_eight_bits(values: npt.NDArray[np.integer[Any]], depth: int) -> PixelImage:
    """The upper eight of `depth` bits; 0 stands for the depth that the brightest pixel needs."""
    brightest = int(values.max())
    if brightest >> _DEPTHS[-1]:
        raise _UnsupportedError("32-bit pixels, expected at most 16 bits")
    depth = depth or next(bits for bits in _DEPTHS if not brightest >> bits)
    return (values.clip(0) >> (depth - 8)).astype(np.uint8)


def _has_wide_colours(image: "Image") -> bool:
    """Whether Pillow keeps only the upper byte of each 16-bit colour of this file."""
    tiles = getattr(image, "tile", ())
    return not image.mode.startswith("I") and any(";16" in str(tile.args) for tile in tiles)


def _without_transparency(image: "Image") -> "Image":
    """Composite the image on white if it has transparent pixels."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    if np.asarray(rgba.getchannel("A")).min() == _OPAQUE:
        return image
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba)


def _reason(error: Exception) -> str:
    # Not Pillow's own message, which changes between versions: the text is part of a snapshot.
    if isinstance(error, _UnsupportedError):
        return str(error)
    if type(error).__name__ == "UnidentifiedImageError":
        return f"expected {', '.join(_FORMATS)}, got none of them"
    return "damaged or cut off"


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings: any damage that matters is an outcome."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
