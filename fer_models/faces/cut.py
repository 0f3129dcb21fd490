"""Cut faces out of pictures as the networks expect them."""

import numpy as np

from fer_models.dataset.image_format import REDUCING_GAP, ImageFormat
from fer_models.faces.found import Colours, FoundFace


def cut_face(picture: Colours, face: FoundFace, target: ImageFormat) -> Colours:
    """The face, uint8 in the format of a model; black outside the picture."""
    from PIL import Image

    left, top, right, bottom = face.box
    side = max(right - left, bottom - top, 1)
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    square = Image.fromarray(picture).crop((x, y, x + side, y + side))
    size = (target.size_px, target.size_px)
    small = square.convert("L" if target.channels == 1 else "RGB").resize(
        size, Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP
    )
    return np.array(small).reshape(target.shape)
