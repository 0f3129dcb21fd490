"""Image files of any kind to grey 48 x 48 pixels, or to a sentence that says why not."""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fer_models.data.snapshot import IMAGE_SIZE_PX
from fer_models.progress import report

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
)
GreyImage = npt.NDArray[np.uint8]

# Not every format that Pillow knows: some start other programs, none of those holds faces.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_SIZE = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
_FILES_PER_TASK = 32
# About Pillow's own warning limit: decoding more would take gigabytes.
_MAX_PIXELS = 80_000_000
_TOO_LARGE = "the image is far too large to be a face"
_REMEDY = "replace or remove it"
# What Pillow's decoders raise on damaged files, found by damaging files at random.
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


class _UnsupportedError(ValueError):
    """A sound image of a kind that has no grey values."""


def decode_image(data: bytes) -> GreyImage | str:
    """The image as uint8 48 x 48 grey values, or what is wrong with it.

    JPEG, PNG, BMP, GIF, WEBP, TIFF or PPM of any mode and size is turned upright as its EXIF data
    says, made grey (ITU-R 601 luma), and resized with Lanczos antialiasing. A 48 x 48 grey image
    is kept bit by bit.
    """
    from PIL import Image

    if not data:
        return f"the image is empty (0 bytes); {_REMEDY}"
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS:
                return f"{_TOO_LARGE} ({image.width} x {image.height}); {_REMEDY}"
            return _to_grey(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"{_TOO_LARGE}; {_REMEDY}"
    except _DECODING_ERRORS as error:
        return f"not a readable image ({_reason(error)}); {_REMEDY}"


def decode_files(paths: Sequence[Path], name: str) -> Iterator[GreyImage | str]:
    """`decode_image` of each file, in order, on all cores; tells progress as `name`."""
    # Decoding releases the interpreter lock, so threads are enough; small images would spend
    # more time on being handed out one by one.
    groups = [
        paths[start : start + _FILES_PER_TASK] for start in range(0, len(paths), _FILES_PER_TASK)
    ]
    done = 0
    with ThreadPoolExecutor() as pool:
        for outcomes in pool.map(_decode_group, groups):
            yield from outcomes
            done += len(outcomes)
            report("ingest", done, len(paths), "images", name)


def _decode_group(paths: Sequence[Path]) -> list[GreyImage | str]:
    return [_decode_file(path) for path in paths]


def _decode_file(path: Path) -> GreyImage | str:
    try:
        return decode_image(path.read_bytes())
    except OSError as error:
        return f"the file can't be read ({error.strerror}); give this user read access"


def _to_grey(image: "Image") -> GreyImage:
    from PIL import Image, ImageOps

    # JPEG files are decoded at a fraction of their size: photographs load several times faster.
    image.draft("L", (4 * IMAGE_SIZE_PX, 4 * IMAGE_SIZE_PX))
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise _UnsupportedError("floating-point pixels, expected 8 bits")
    if upright.mode.startswith("I"):
        # 16 bits a pixel: convert("L") would cut off everything above 255 instead of scaling.
        upright = Image.fromarray((np.asarray(upright) >> 8).clip(0, 255).astype(np.uint8))
    grey = upright.convert("L")
    if grey.size != _SIZE:
        grey = grey.resize(_SIZE, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(grey, dtype=np.uint8)


def _reason(error: Exception) -> str:
    # Not Pillow's own words, which change with its version: the sentence is part of a snapshot.
    if isinstance(error, _UnsupportedError):
        return str(error)
    if type(error).__name__ == "UnidentifiedImageError":
        return f"expected {', '.join(_FORMATS)}, got none of them"
    return "damaged or cut off"
