"""Heat maps for the page: which places of a face speak for a class."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.inference_server.models.served import ServedModel
from fer_models.errors import DataError
from fer_models.faces.cut import Frame, cut_face, face_frame
from fer_models.faces.found import Box, FoundFace, Point
from fer_models.inference.picture import Picture

_SHOWN_PX = 192
_MOST_OPAQUE = 0.85
# From warm red to yellow, which shows on skin of any colour, also to the colour-blind.
_LOW, _HIGH = np.array([214, 40, 40]), np.array([255, 224, 90])


@dataclass(frozen=True)
class Place:
    """Where a face is in a picture, as predicted; without a box all of the picture is the face."""

    box: Box | None = None
    landmarks: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Explained:
    """A heat map as a PNG data URL, and the square that it covers.

    `box` (None: the whole picture) is turned clockwise around its centre by `angle_deg`, as the
    model sees the face upright.
    """

    model: str
    label: str
    box: Box | None
    angle_deg: float
    image: str


def explain(served: ServedModel, picture: Picture, label: str | None, place: Place) -> Explained:
    """The heat map of a face for a class.

    Args:
        served: the model.
        picture: shows the face.
        label: the class; None for the most probable one.
        place: of the face.

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
    image, box, angle_deg = _crop(served, picture, place)
    one = image[None]
    number = model.classes.index(label) if label else int(model.predict(one).argmax())
    heat_SS = served.heat_maps(one, np.array([number]))[0]
    return Explained(model.name, model.classes[number], box, angle_deg, _png_url(heat_SS))


def _crop(
    served: ServedModel, picture: Picture, place: Place
) -> tuple[npt.NDArray[np.uint8], Box | None, float]:
    """The image that the model sees, the square of the picture that it shows, and its angle."""
    target = served.model.image_format
    if place.box is None:
        crop = picture.as_crop(target)
        if isinstance(crop, str):
            raise DataError(f"{picture.path}: {crop}")
        return crop, None, 0.0
    photo = picture.as_photo()
    if isinstance(photo, str):
        raise DataError(f"{picture.path}: {photo}")
    height, width = (round(side * photo.scale) for side in photo.pixels.shape[:2])
    found = FoundFace(place.box, place.landmarks)
    frame = face_frame(found)
    if not _fits(found, frame, width, height):
        raise DataError(
            f"expected box and landmarks of a face in {width} x {height} pixels, got the box "
            f"{','.join(map(str, place.box))}"
        )
    left, top = frame.centre - frame.side / 2
    box = (round(left), round(top), round(left + frame.side), round(top + frame.side))
    image = cut_face(photo.pixels, found.scaled(1 / photo.scale), target)
    return image, box, float(np.degrees(frame.angle_rad))


def _fits(face: FoundFace, frame: Frame, width: int, height: int) -> bool:
    """Whether a face has a part in the picture, and is not absurdly larger than it."""
    left, top, right, bottom = face.box
    is_inside = left < width and top < height and right > 0 and bottom > 0
    is_near = bool((np.abs(frame.centre) <= 2 * max(width, height)).all())
    return (
        is_inside
        and is_near
        and left < right
        and top < bottom
        and frame.side <= 2 * max(width, height)
    )


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
