"""Decode image files of any kind to the bytes of pixels of one format.

Without NumPy: a worker process that decodes images would import it longer than all the rest.
"""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from fer_models.dataset.image_format import ImageFormat
from fer_models.ingest.files.resizing import square, to_format

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]
"""Left, top, right and bottom of a face, in pixels of the upright image."""

# Not every format that Pillow supports: some start other programs, and none of those is common.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
# Close to Pillow's own warning limit: decoding more would take gigabytes.
_MAX_PIXELS = 80_000_000
MAX_SIDE_PX = 20_000
MAX_FILE_BYTES = 256 << 20
# Cameras and scanners store these bit depths in 16 or 32 bits.
_DEPTHS = (8, 10, 12, 14, 16)
_DARK_AT_16_BITS = 64
_OPAQUE = 255
_MAX_BEYOND = 0.25
# What Pillow reads the orientation of a JPEG file from.
_ROTATED_BY = frozenset(("exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"))
_DRAFT_FACTOR = 4
_SMALL_PIXELS = 1 << 18
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


def decode_pixels(data: bytes, box: Box | None, target: ImageFormat) -> bytes | str:
    """Decode an image file to the pixels of a format: its rows from the top, uint8.

    JPEG, PNG, BMP, GIF, WEBP, TIFF or PPM of any mode and size is rotated as its EXIF data says,
    composited on white where it is transparent, converted to grey (ITU-R 601 luma) or RGB, made
    square as `target.fit` says, and resized with Lanczos antialiasing. An image of the right format
    is kept bit for bit; of an animation the first frame is used. With a box, only that part of the
    image is.

    Example:
        pixels = decode_pixels(Path("face.jpg").read_bytes(), None, ImageFormat(112, 3))
        if isinstance(pixels, str):
            print(pixels)  # why it can't be used

    Returns:
        The pixels, or a sentence with the problem and what to do about it.
    """
    return decode_with(data, lambda image: to_format(_face(image, box, target), target))


def decode_face(data: bytes, box: Box | None, target: ImageFormat) -> "bytes | Image | str":
    """As `decode_pixels`, but a small image is only prepared for `resized_together`."""

    def decode(image: "Image") -> "bytes | Image":
        face = _face(image, box, target)
        size = (target.size_px, target.size_px)
        if face.mode == "L" and face.size != size and face.width * face.height <= _SMALL_PIXELS:
            return square(face, target.fit)
        return to_format(face, target)

    return decode_with(data, decode)


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
            if image.width * image.height > limit or max(image.size) > MAX_SIDE_PX:
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


def _face(image: "Image", box: Box | None, target: ImageFormat) -> "Image":
    """The loaded image, or a part of it, in the channels of the format."""
    # JPEG is decoded at a fraction of its size: photographs load several times faster.
    if box is None:
        side = _DRAFT_FACTOR * target.size_px
        image.draft("L" if target.channels == 1 else "RGB", (side, side))
    upright = upright_image(image)
    if box is not None:
        upright = upright.crop(_inside(box, upright.size))
    return in_mode(upright, "L" if target.channels == 1 else "RGB")


def in_mode(image: "Image", mode: str) -> "Image":
    """The image on white, as `L` or `RGB`."""
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
        upright = _to_eight_bits(upright, depth)
    if has_wide_colours and _brightest(upright.convert("RGB")) < _DARK_AT_16_BITS:
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


def _to_eight_bits(image: "Image", depth: int) -> "Image":
    """The upper eight of `depth` bits; 0 stands for the depth that the brightest pixel needs."""
    import numpy as np
    from PIL import Image

    values = np.asarray(image)
    brightest = int(values.max())
    if brightest >> _DEPTHS[-1]:
        raise _UnsupportedError("32-bit pixels, expected at most 16 bits")
    depth = depth or next(bits for bits in _DEPTHS if not brightest >> bits)
    return Image.fromarray((values.clip(0) >> (depth - 8)).astype(np.uint8))


def _brightest(rgb: "Image") -> int:
    import numpy as np

    return int(np.asarray(rgb).max())


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
    if rgba.getchannel("A").getextrema()[0] == _OPAQUE:
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


class _Silence:
    """Warnings of the whole process are ignored while any thread asks for it.

    All threads share the list of filters: if each put back what it had found, the last one could
    put back that of another thread, and warnings would stay off.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_users = 0
        self._before = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._num_users:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
            self._num_users += 1
            warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_users -= 1
            if not self._num_users:
                self._before.__exit__(None, None, None)


_silence = _Silence()


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence Pillow's warnings: any damage that matters is an outcome."""
    with _silence:
        yield
