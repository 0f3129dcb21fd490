"""Draw faces and their probabilities into a copy of a picture.

Lengths are pixels of the copy. A picture of a single face has its bars beside it; in a photo they
are beside the face's box where there is room, and the label is always above the box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from fer_models.faces.found import Box
from fer_models.inference.picture import Pixels, PredictedFace
from fer_models.inference.results.places import inside, overlaps, places_beside
from fer_models.user_input import printable

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Colour = tuple[int, int, int]
_PALETTE: tuple[Colour, ...] = (
    (228, 87, 86), (151, 201, 88), (178, 121, 219), (245, 190, 65), (88, 149, 226),
    (242, 142, 60), (176, 182, 190), (86, 196, 190), (232, 130, 180), (150, 120, 98),
)  # fmt: skip
_PANEL: Colour = (24, 28, 34)
_TRACK: Colour = (58, 64, 74)
_TEXT: Colour = (244, 245, 247)
_INK: Colour = (18, 20, 24)
_MIN_CROP_PX = 240
_MIN_PHOTO_PX = 320
_ROW_PX = (13, 30)
_ROWS_A_FACE = 9
_NAME_LETTERS = 8
_NAME_ROWS, _BAR_ROWS, _PERCENT_ROWS = 4.6, 4.0, 2.4
_PADDING_ROWS = 0.4


@dataclass
class _Drawn:
    """A copy in the making: `factor` times the picture, and what must stay visible."""

    image: "Image"
    draw: "ImageDraw"
    factor: float
    taken: list[Box] = field(default_factory=list)


def draw_faces(
    pixels: Pixels, faces: Sequence[PredictedFace], scale: float = 1.0, note: str = ""
) -> "Image":
    """A copy of a picture with a box, the label and bars of probabilities for each face.

    Args:
        pixels: upright, uint8 H x W or H x W x 3.
        faces: of the picture; boxes in pixels of the original.
        scale: how many times larger the original is than `pixels`.
        note: written into the corner if there is no face.

    Example:
        draw_faces(photo.pixels, prediction.faces, photo.scale).save("faces.png")
    """
    crops = [face for face in faces if face.box is None]
    if crops:
        return _beside(pixels, crops[0])
    drawn = _copy(pixels, _MIN_PHOTO_PX)
    boxes = [_scaled(face.box, drawn.factor / scale) for face in faces if face.box is not None]
    drawn.taken = list(boxes)
    for face, box in zip(faces, boxes, strict=True):
        _frame(drawn, face, box)
    for face, box in zip(faces, boxes, strict=True):
        _bars_near(drawn, face, box)
    if not faces and note:
        _tag(drawn, note, (0, 0), _PANEL, _TEXT, _row_px(drawn.image.height))
    return drawn.image


def class_colour(face: PredictedFace) -> Colour:
    """The colour of a face's label."""
    return _PALETTE[list(face.probabilities).index(face.label) % len(_PALETTE)]


def _copy(pixels: Pixels, min_px: int) -> _Drawn:
    """The picture in RGB, enlarged if text would not be readable in it."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    factor = max(1.0, min_px / max(image.size))
    if factor > 1:
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return _Drawn(image, ImageDraw.Draw(image), factor)


def _beside(pixels: Pixels, face: PredictedFace) -> "Image":
    """A picture that is one face, with the bars to its right."""
    from PIL import Image, ImageDraw

    face_image = _copy(pixels, _MIN_CROP_PX).image
    row = _row_px(face_image.height)
    width, height = _panel_size(face, row)
    size = (face_image.width + width, max(face_image.height, height))
    canvas = Image.new("RGB", size, _PANEL)
    canvas.paste(face_image, (0, (size[1] - face_image.height) // 2))
    top = (size[1] - height) // 2
    _panel(ImageDraw.Draw(canvas), face, (face_image.width, top), row)
    return canvas


def _frame(drawn: _Drawn, face: PredictedFace, box: Box) -> None:
    colour, row = class_colour(face), _row_px(box[3] - box[1])
    drawn.draw.rectangle(box, outline=colour, width=max(2, row // 6))
    text = f"{_shown(face.label)} {face.confidence:.0%}"
    _tag(drawn, text, (box[0], box[1] - round(1.3 * row)), colour, _INK, row)


def _tag(
    drawn: _Drawn, text: str, at: tuple[int, int], ground: Colour, ink: Colour, row: int
) -> None:
    """A line of text on a ground, moved into the picture."""
    font = _font(round(0.85 * row))
    width = round(drawn.draw.textlength(text, font=font)) + row // 2
    place = inside((at[0], at[1], at[0] + width, at[1] + round(1.3 * row)), drawn.image.size)
    drawn.draw.rectangle(place, fill=ground)
    middle = (place[0] + row // 4, (place[1] + place[3]) // 2)
    drawn.draw.text(middle, text, fill=ink, font=font, anchor="lm")
    drawn.taken.append(place)


def _bars_near(drawn: _Drawn, face: PredictedFace, box: Box) -> None:
    row = _row_px(box[3] - box[1])
    place = places_beside(box, _panel_size(face, row), drawn.image.size)
    places = [one for one in place if not any(overlaps(one, taken) for taken in drawn.taken)]
    if places:
        drawn.taken.append(places[0])
        _panel(drawn.draw, face, places[0][:2], row)


def _panel_size(face: PredictedFace, row: int) -> tuple[int, int]:
    rows = len(face.probabilities) + 2 * _PADDING_ROWS
    return round((_NAME_ROWS + _BAR_ROWS + _PERCENT_ROWS) * row), round(rows * row)


def _panel(draw: "ImageDraw", face: PredictedFace, at: tuple[int, int], row: int) -> None:
    """A row for each class: name, bar, percent."""
    width, height = _panel_size(face, row)
    draw.rectangle((at[0], at[1], at[0] + width - 1, at[1] + height - 1), fill=_PANEL)
    font = _font(round(0.75 * row))
    left = at[0] + round(_PADDING_ROWS * row)
    bar = at[0] + round(_NAME_ROWS * row)
    length = round(_BAR_ROWS * row)
    for number, (name, probability) in enumerate(face.probabilities.items()):
        middle = at[1] + round((_PADDING_ROWS + number + 0.5) * row)
        half = max(2, round(0.3 * row))
        colour = _PALETTE[number % len(_PALETTE)]
        draw.text((left, middle), _shown(name), fill=_TEXT, font=font, anchor="lm")
        draw.rectangle((bar, middle - half, bar + length, middle + half), fill=_TRACK)
        filled = bar + round(length * probability)
        draw.rectangle((bar, middle - half, filled, middle + half), fill=colour)
        right = bar + length + round((_PERCENT_ROWS - _PADDING_ROWS) * row)
        draw.text((right, middle), f"{probability:.0%}", fill=_TEXT, font=font, anchor="rm")


def _shown(name: str) -> str:
    text = printable(name)
    return text if len(text) <= _NAME_LETTERS else f"{text[: _NAME_LETTERS - 1]}…"


def _row_px(height: int) -> int:
    return min(max(round(height / _ROWS_A_FACE), _ROW_PX[0]), _ROW_PX[1])


def _scaled(box: Box, factor: float) -> Box:
    left, top, right, bottom = (round(edge * factor) for edge in box)
    return (left, top, right, bottom)


def _font(size: int) -> "FreeTypeFont | ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(max(size, 8))
