"""Heat maps for the page: which places of a face speak for a class."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.inference_server.models.served import ServedModel
from fer_models.errors import DataError
from fer_models.faces.cut import cut_face
from fer_models.faces.found import Box, FoundFace
from fer_models.inference.picture import Picture

_SHOWN_PX = 192
_MOST_OPAQUE = 0.85
# From warm red to yellow, which shows on skin of any colour, also to the colour-blind.
_LOW, _HIGH = np.array([214, 40, 40]), np.array([255, 224, 90])


@dataclass(frozen=True)
class Explained:
    """A heat map as a PNG data URL, and the square that it covers (None: the whole picture)."""

    model: str
    label: str
    box: Box | None
    image: str


def explain(served: ServedModel, picture: Picture, label: str | None, box: Box | None) -> Explained:
    """The heat map of a face for a class.

    Args:
        served: the model.
        picture: shows the face.
        label: the class; None for the most probable one.
        box: of the face, as predicted; None: the whole picture is the face.

    Raises:
        DataError: the model has no heat maps, the class is unknown, the picture can't be read, or
            the box is outside it.
    """
    model = served.model
    if served.heat_maps is None:
        raise DataError(
            f"expected a network with spatial feature maps; {model.name} has none, so it can't be "
            "explained"
        )
    if label is not None and label not in model.classes:
        raise DataError(f"label: expected one of {', '.join(model.classes)}, got {label[:100]!r}")
    image, square = _crop(served, picture, box)
    one = image[None]
    number = model.classes.index(label) if label else int(model.predict(one).argmax())
    heat_SS = served.heat_maps(one, np.array([number]))[0]
    return Explained(model.name, model.classes[number], square, _png_url(heat_SS))


def _crop(
    served: ServedModel, picture: Picture, box: Box | None
) -> tuple[npt.NDArray[np.uint8], Box | None]:
    """The image that the model sees, and the square of the picture that it shows."""
    target = served.model.image_format
    if box is None:
        crop = picture.as_crop(target)
        if isinstance(crop, str):
            raise DataError(f"{picture.path}: {crop}")
        return crop, None
    photo = picture.as_photo()
    if isinstance(photo, str):
        raise DataError(f"{picture.path}: {photo}")
    height, width = (round(side * photo.scale) for side in photo.pixels.shape[:2])
    if box[0] >= box[2] or box[1] >= box[3] or not _meets(box, width, height):
        raise DataError(
            f"box: expected left,top,right,bottom of a face in {width} x {height} pixels, got "
            f"{','.join(map(str, box))}"
        )
    face = FoundFace(box).scaled(1 / photo.scale)
    return cut_face(photo.pixels, face, target), _square(box)


def _meets(box: Box, width: int, height: int) -> bool:
    """Whether a box has a part in the picture, and is not absurdly larger than it."""
    is_inside = box[0] < width and box[1] < height and box[2] > 0 and box[3] > 0
    return is_inside and max(box[2] - box[0], box[3] - box[1]) <= 2 * max(width, height)


def _square(box: Box) -> Box:
    """The square that `cut_face` shows, as large as the longer side."""
    left, top, right, bottom = box
    side = max(right - left, bottom - top, 1)
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    return x, y, x + side, y + side


def _png_url(heat_SS: npt.NDArray[np.float32]) -> str:
    from PIL import Image

    strength = heat_SS[..., None].clip(0, 1)
    colours = _LOW + (_HIGH - _LOW) * strength
    opacity = 255 * _MOST_OPAQUE * strength
    pixels = np.concatenate([colours, opacity], axis=2).round().astype(np.uint8)
    image = Image.fromarray(pixels).resize((_SHOWN_PX, _SHOWN_PX), Image.Resampling.BICUBIC)
    data = io.BytesIO()
    image.save(data, "PNG")
    return f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
