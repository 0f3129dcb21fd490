"""Faces embedded in pages."""

import base64
import io

import numpy as np
import numpy.typing as npt

# Pages hold hundreds of faces, and show none of them larger.
_MAX_PX = 96


def embedded_png(image: npt.NDArray[np.uint8]) -> str:
    """A PNG file in base64, at most 96 px wide; smaller images are kept bit for bit.

    Args:
        image: uint8 S x S grey, or S x S x 3 RGB.

    Example:
        f'<img src="data:image/png;base64,{embedded_png(images[0])}">'
    """
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(image))
    if max(picture.size) > _MAX_PX:
        picture.thumbnail((_MAX_PX, _MAX_PX), Image.Resampling.LANCZOS)
    picture.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")
