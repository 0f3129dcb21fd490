"""The format of a snapshot's images: side and channels, and the thumbnails for comparisons.

N images are uint8 N x S x S (grey) or N x S x S x 3 (RGB). Data checks, label scores, near
duplicates, drift and exploration work on grey 48 x 48 thumbnails, whatever the format: their
thresholds were measured there, and FER2013's images are their own thumbnails.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
else:
    # Worker processes that decode images import this module, and start twice as fast without NumPy.
    Pixels = Any

THUMBNAIL_PX = 48
MAX_SIZE_PX = 224
# Pillow reduces by whole factors down to twice the size first: half the time of a full Lanczos.
REDUCING_GAP = 2.0
Fit = Literal["stretch", "pad", "crop"]
_IMAGES_PER_TASK = 256
_MAX_THREADS = 8


@dataclass(frozen=True)
class ImageFormat:
    """Side in pixels, channels (1 grey, 3 RGB), and what becomes of an image that is not square.

    `fit`: `stretch` ignores the aspect ratio, `pad` adds grey borders, `crop` cuts the longer side.
    """

    size_px: int = THUMBNAIL_PX
    channels: int = 1
    fit: Fit = "stretch"

    @property
    def is_thumbnail(self) -> bool:
        """Whether images of this format are their own thumbnails."""
        return self.size_px == THUMBNAIL_PX and self.channels == 1

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing to record: 48 px, grey, and nothing was cut or padded."""
        return self.is_thumbnail and self.fit == "stretch"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one image."""
        return (self.size_px, self.size_px, *((self.channels,) if self.channels > 1 else ()))

    def none(self) -> Pixels:
        """No images of this format."""
        import numpy as np

        return np.zeros((0, *self.shape), dtype=np.uint8)

    def __str__(self) -> str:
        """Such as `112 x 112 RGB`."""
        return f"{self.size_px} x {self.size_px} {'RGB' if self.channels == 3 else 'grey'}"


THUMBNAIL = ImageFormat()


def recorded_format(info: Mapping[str, Any]) -> ImageFormat:
    """The format in the metadata of a snapshot, or the preprocessing of a network."""
    return ImageFormat(**info.get("image_format", {}))


def format_of(images: Pixels) -> ImageFormat:
    """The format of stored images.

    Raises:
        ValueError: they are not N x S x S or N x S x S x 3.
    """
    if images.ndim not in (3, 4) or images.shape[1] != images.shape[2]:
        raise ValueError(f"expected images N x S x S or N x S x S x 3, got {images.shape}")
    channels = images.shape[3] if images.ndim == 4 else 1
    if images.ndim == 4 and channels != 3:
        raise ValueError(f"expected 3 channels, got {channels}")
    return ImageFormat(images.shape[1], channels)


def to_thumbnails(images: Pixels) -> Pixels:
    """Grey 48 x 48 versions (luma, Lanczos); images of that format are returned as they are.

    Example:
        to_thumbnails(np.zeros((2, 112, 112, 3), np.uint8)).shape  # (2, 48, 48)
    """
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    if format_of(images).is_thumbnail:
        return images
    thumbnails = np.zeros((len(images), THUMBNAIL_PX, THUMBNAIL_PX), dtype=np.uint8)

    def fill(start: int) -> None:
        for row in range(start, min(start + _IMAGES_PER_TASK, len(images))):
            thumbnails[row] = thumbnail_of(images[row])

    with ThreadPoolExecutor(min(os.cpu_count() or 1, _MAX_THREADS)) as threads:
        list(threads.map(fill, _starts(len(images))))
    return thumbnails


def _starts(num_images: int) -> Iterator[int]:
    return iter(range(0, num_images, _IMAGES_PER_TASK))


def thumbnail_of(image: Pixels) -> Pixels:
    """The grey 48 x 48 version of one image, S x S or S x S x 3."""
    import numpy as np
    from PIL import Image

    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    grey = Image.fromarray(np.ascontiguousarray(image)).convert("L")
    return np.asarray(grey.resize(size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP))
