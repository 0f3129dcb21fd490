"""Image files of any kind to grey 48 x 48 pixels, many of them on all cores."""

import io
import os
import struct
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import IMAGE_SIZE_PX
from fer_models.progress import report

if TYPE_CHECKING:
    from PIL.Image import Image

GreyImage = npt.NDArray[np.uint8]

# Not every format that Pillow knows: some start other programs, none of those holds faces.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
_SIZE = (IMAGE_SIZE_PX, IMAGE_SIZE_PX)
# About Pillow's own warning limit: decoding more would take gigabytes.
_MAX_PIXELS = 80_000_000
_MAX_SIDE_PX = 20_000
MAX_FILE_BYTES = 256 << 20
# Cameras and scanners write these many bits into 16 or 32.
_DEPTHS = (8, 10, 12, 14, 16)
_DARK_AT_16_BITS = 64
_OPAQUE = 255
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


Outcome = GreyImage | str
Loader = Callable[[], bytes | str]

DAMAGED_IN_ARCHIVE = "damaged inside the archive; pack or download it again"

_FILES_PER_TASK = 32
# One image may take hundreds of megabytes while it is decoded.
_MAX_THREADS = 8


class _UnsupportedError(ValueError):
    """A sound image of a kind that has no grey values."""


def decode_image(data: bytes) -> GreyImage | str:
    """The image as uint8 48 x 48 grey values, or what is wrong with it.

    JPEG, PNG, BMP, GIF, WEBP, TIFF or PPM of any mode and size is turned upright as its EXIF data
    says, laid on white where it is transparent, made grey (ITU-R 601 luma), and resized with
    Lanczos antialiasing. A 48 x 48 grey image is kept bit by bit; of an animation the first
    picture counts.
    """
    from PIL import Image

    if not data:
        return f"the image is empty (0 bytes); {_REMEDY}"
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > _MAX_PIXELS or max(image.size) > _MAX_SIDE_PX:
                return f"{_TOO_LARGE} ({image.width} x {image.height}); {_REMEDY}"
            return _to_grey(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"{_TOO_LARGE}; {_REMEDY}"
    except _DECODING_ERRORS as error:
        return f"not a readable image ({_reason(error)}); {_REMEDY}"


def too_many_bytes(size: int) -> str:
    """What to say of an image file of `size` bytes; "" when it may be read."""
    if size <= MAX_FILE_BYTES:
        return ""
    return f"{_TOO_LARGE} ({size:,} bytes); {_REMEDY}"


def _to_grey(image: "Image") -> GreyImage:
    from PIL import Image, ImageOps

    # JPEG files are decoded at a fraction of their size: photographs load several times faster.
    image.draft("L", (4 * IMAGE_SIZE_PX, 4 * IMAGE_SIZE_PX))
    has_wide_colours = _has_wide_colours(image)
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F":
        raise _UnsupportedError("floating-point pixels, expected 8 bits")
    if upright.mode.startswith("I"):
        # A PGM file says how many bits it uses, and Pillow has scaled them to 16.
        depth = _DEPTHS[-1] if image.format == "PPM" else 0
        upright = Image.fromarray(_to_eight_bits(np.asarray(upright), depth))
    if has_wide_colours and np.asarray(upright.convert("RGB")).max() < _DARK_AT_16_BITS:
        raise _UnsupportedError("16-bit colours in which only low values are used, expected 8 bits")
    grey = _without_transparency(upright).convert("L")
    if grey.size != _SIZE:
        grey = grey.resize(_SIZE, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.array(grey, dtype=np.uint8)


def _to_eight_bits(values: npt.NDArray[np.integer[Any]], depth: int) -> GreyImage:
    """The upper eight of `depth` bits; with 0, of as many as the brightest pixel needs."""
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
    """The image on a white ground, where it is transparent at all."""
    from PIL import Image

    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    if np.asarray(rgba.getchannel("A")).min() == _OPAQUE:
        return image
    white = Image.new("RGBA", rgba.size, "white")
    return Image.alpha_composite(white, rgba)


def _reason(error: Exception) -> str:
    # Not Pillow's own words, which change with its version: the sentence is part of a snapshot.
    if isinstance(error, _UnsupportedError):
        return str(error)
    if type(error).__name__ == "UnidentifiedImageError":
        return f"expected {', '.join(_FORMATS)}, got none of them"
    return "damaged or cut off"


def decode_in_order(
    loaders: Iterable[tuple[str, Loader]], total: int, name: str
) -> Iterator[tuple[str, Outcome]]:
    """Decode images in the order in which they come; tells progress as `name`.

    Args:
        loaders: path and what gives the file's bytes, or a sentence that says why it can't.
            Called in a thread.
        total: how many there are.
        name: of the source.

    Yields:
        Path, and the image as uint8 48 x 48 grey values or what is wrong with it.
    """
    # Decoding releases the interpreter lock, so threads are enough; small images would spend
    # more time on being handed out one by one.
    todo, done = iter(loaders), 0
    num_threads = min(os.cpu_count() or 1, _MAX_THREADS)
    waiting: deque[Future[list[tuple[str, Outcome]]]] = deque()
    with quiet_decoding(), ThreadPoolExecutor(num_threads) as pool:
        while True:
            while len(waiting) < 2 * num_threads and (group := list(islice(todo, _FILES_PER_TASK))):
                waiting.append(pool.submit(_decode_group, group))
            if not waiting:
                return
            outcomes = waiting.popleft().result()
            yield from outcomes
            done += len(outcomes)
            report("ingest", done, total, "images", name)


@contextmanager
def quiet_decoding() -> Iterator[None]:
    """Silence what Pillow warns of: every damage that matters is an outcome."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _decode_group(group: list[tuple[str, Loader]]) -> list[tuple[str, Outcome]]:
    return [(path, _decode(loader())) for path, loader in group]


def _decode(loaded: bytes | str) -> Outcome:
    return loaded if isinstance(loaded, str) else decode_image(loaded)
