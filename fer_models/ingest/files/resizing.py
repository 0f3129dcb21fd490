"""Make images square and resize them: bytes of pixels of one format.

Without NumPy, as `image_pixels`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fer_models.dataset.image_format import REDUCING_GAP, THUMBNAIL, Fit, ImageFormat

if TYPE_CHECKING:
    from PIL.Image import Image

_PADDING = 128
_FOUR_CHANNELS = "CMYK"


def to_format(image: "Image", target: ImageFormat) -> bytes:
    """The pixels of an image that has the channels of the format already."""
    if image.size != (target.size_px, target.size_px):
        image = _resized(square(image, target.fit), target)
    return image.tobytes()


def _resized(image: "Image", target: ImageFormat) -> "Image":
    from PIL import Image

    size = (target.size_px, target.size_px)
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)


def thumbnail_pixels(images: Sequence[bytes], source: ImageFormat) -> list[bytes]:
    """The grey 48 x 48 versions of images of a format, as `thumbnail_of` makes them."""
    from PIL import Image

    size, mode = (source.size_px, source.size_px), "L" if source.channels == 1 else "RGB"
    opened = [Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1) for pixels in images]
    return resized_together(
        [image.convert("L") if mode != "L" else image for image in opened], THUMBNAIL
    )


def resized_together(images: "Sequence[Image]", target: ImageFormat) -> list[bytes]:
    """The pixels of grey, square images in a grey format, in order.

    Four of a size are the channels of one image: half the time, and the same pixels, because each
    channel is resized on its own.
    """
    from PIL import Image

    numbers: dict[tuple[int, int], list[int]] = {}
    for number, image in enumerate(images):
        numbers.setdefault(image.size, []).append(number)
    pixels = [b""] * len(images)
    for same in numbers.values():
        for start in range(0, len(same), len(_FOUR_CHANNELS)):
            some = same[start : start + len(_FOUR_CHANNELS)]
            parts = [images[number] for number in some]
            if len(parts) == len(_FOUR_CHANNELS):
                parts = [*_resized(Image.merge(_FOUR_CHANNELS, parts), target).split()]
            for number, part in zip(some, parts, strict=True):
                pixels[number] = to_format(part, target)
    return pixels


def square(image: "Image", fit: Fit) -> "Image":
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
