"""Predictions as HTML for a notebook: the picture with boxes and bars; names are escaped."""

import base64
import html
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from fer_models.inference.picture import Picture, PicturePrediction
from fer_models.user_input import printable

if TYPE_CHECKING:
    from PIL.Image import Image

Source = Callable[[], Picture] | None
_MAX_SIDE_PX = 900
_MAX_FIGURES = 12
_FIGURE = (
    '<figure style="display:inline-block;margin:0 12px 12px 0;vertical-align:top">{image}'
    '<figcaption style="font:13px sans-serif;max-width:{width}px">{caption}</figcaption></figure>'
)


def figure_html(prediction: PicturePrediction, source: Source, max_side_px: int = 0) -> str:
    """A picture with its faces drawn in, and a caption; only the caption if it is not kept."""
    image = _drawn(prediction, source, max_side_px or _MAX_SIDE_PX)
    caption = _caption(prediction)
    if image is None:
        return _FIGURE.format(image="", width=_MAX_SIDE_PX, caption=caption)
    alt = html.escape(_faces_text(prediction), quote=True)
    shown = f'<img alt="{alt}" width="{image.width}" src="{_data_url(image)}">'
    return _FIGURE.format(image=shown, width=image.width, caption=caption)


def figures_html(predictions: Sequence[tuple[PicturePrediction, Source]]) -> str:
    """The first 12 pictures, and how many more there are."""
    figures = [figure_html(*one, max_side_px=360) for one in predictions[:_MAX_FIGURES]]
    more = len(predictions) - _MAX_FIGURES
    note = f"<p>... and {more} more; .to_frame() has all of them</p>" if more > 0 else ""
    return f"<div>{''.join(figures)}{note}</div>"


def _drawn(prediction: PicturePrediction, source: Source, max_side_px: int) -> "Image | None":
    from fer_models.inference.results.drawing import draw_faces

    if source is None:
        return None
    photo = source().as_photo()
    if isinstance(photo, str):
        return None
    image = draw_faces(photo.pixels, prediction.faces, photo.scale)
    image.thumbnail((max_side_px, max_side_px))
    return image


def _caption(prediction: PicturePrediction) -> str:
    name = html.escape(printable(prediction.path), quote=True)
    return f"<b>{name}</b><br>{html.escape(_faces_text(prediction), quote=True)}"


def _faces_text(prediction: PicturePrediction) -> str:
    found = ", ".join(f"{face.label} {face.confidence:.0%}" for face in prediction.faces)
    return printable(found or prediction.reason)


def _data_url(image: "Image") -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
