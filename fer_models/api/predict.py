"""Predict expressions in a line of Python."""

import functools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, get_args, overload

from fer_models.api.given import Given, Source, given_picture, given_pictures, is_one
from fer_models.api.predictions import PredictedPicture, Predictions
from fer_models.bundles.names import BUNDLED, needs_store
from fer_models.bundles.speed import DEFAULT_SPEED, Speed
from fer_models.faces.found import FacesMode
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.user_input import check_choice, given_text

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import PIL.Image
    import torch

    OnePicture: TypeAlias = (
        str
        | os.PathLike[str]
        | bytes
        | PIL.Image.Image
        | npt.NDArray[np.integer[Any] | np.floating[Any]]
        | torch.Tensor
    )


@overload
def predict(  # type: ignore[overload-overlap]  # a text is one path, though it can be iterated
    pictures: "OnePicture",
    *,
    faces: FacesMode = "auto",
    model: str | ExpressionModel = BUNDLED,
    speed: Speed = DEFAULT_SPEED,
    store: str | os.PathLike[str] | None = None,
) -> PredictedPicture: ...
@overload
def predict(
    pictures: "Iterable[OnePicture]",
    *,
    faces: FacesMode = "auto",
    model: str | ExpressionModel = BUNDLED,
    speed: Speed = DEFAULT_SPEED,
    store: str | os.PathLike[str] | None = None,
) -> Predictions: ...
def predict(
    pictures: "OnePicture | Iterable[OnePicture]",
    *,
    faces: FacesMode = "auto",
    model: str | ExpressionModel = BUNDLED,
    speed: Speed = DEFAULT_SPEED,
    store: str | os.PathLike[str] | None = None,
) -> PredictedPicture | Predictions:
    """Predict the expressions of all faces in a picture, or in several.

    A picture that can't be read or shows no face is no error: its prediction has no faces and a
    `reason`.

    Args:
        pictures: one picture, or an iterable of them: a path, the bytes of an image file, an image
            of Pillow, an array H x W or H x W x 3 (RGB), a tensor 3 x H x W; integers 0..255 or
            floats 0..1. In a list, a path may also be a folder, a pattern (`*.jpg`) or an archive.
        faces: `crop`: each picture is one face; `detect`: search for faces; `auto`: decide for each
            picture.
        model: a name, see `load_model`, or a loaded model.
        speed: of a model given by name; see `load_model`.
        store: of the model, if it is a stored one.

    Returns:
        For one picture its prediction, a sequence of faces; else one for each picture.

    Raises:
        ConfigError: `faces` or `speed` is none of those.
        DataError: a path does not exist, or an object is no picture.
        StoreError: the model does not exist.

    Example:
        import fer_models

        fer_models.predict("photo.jpg")[0].label
        fer_models.predict(["holiday/", "more.zip"]).to_frame()
    """
    check_choice("faces", faces, get_args(FacesMode))
    opened = model
    if not isinstance(opened, ExpressionModel):
        opened = load_model(opened, speed=speed, store=store)
    if is_one(pictures):
        return next(_predicted([given_picture(pictures)], opened, faces))
    several: Any = pictures
    if not isinstance(several, Iterable):
        given_picture(several)  # says what was expected
    return Predictions(list(_predicted(given_pictures(several), opened, faces)))


def load_model(
    name: str | os.PathLike[str] = BUNDLED,
    *,
    speed: Speed = DEFAULT_SPEED,
    store: str | os.PathLike[str] | None = None,
) -> ExpressionModel:
    """Load a model by name; shipped ones are kept in memory.

    Args:
        name: `bundled` (the default bundle), `bundled:NAME`, the path of an ONNX file or of a
            bundle's file, `champion`, or the id of a stored model or its beginning.
        speed: `fast` reads each face once, `balanced` also its mirror image, `best` all views of
            the model's test-time augmentation.
        store: folder or URL of the store of a stored model; by default `.ferflow/store`.

    Raises:
        ConfigError: `speed` is none of those, or `name` or `store` no text and no path.
        StoreError: the model does not exist or is damaged.

    Example:
        model = fer_models.load_model("champion", store="s3://bucket/prefix")
        fer_models.predict("photo.jpg", model=model)
    """
    text = given_text("name", name)
    if text.partition(":")[0] == BUNDLED:
        return _shipped(text, speed)
    if not needs_store(text):
        return open_model(text, speed=speed)
    from fer_models.api.store import open_store

    return open_store(store).load_model(text, speed)


@functools.lru_cache(maxsize=2)
def _shipped(name: str, speed: Speed) -> ExpressionModel:
    return open_model(name, speed=speed)


def _predicted(
    given: Iterable[Given], model: ExpressionModel, faces: FacesMode
) -> Iterator[PredictedPicture]:
    sources: deque[Source | None] = deque()

    def noted() -> Iterator[Picture]:
        for picture, source in given:
            sources.append(source)
            yield picture

    for one in predict_pictures(noted(), model, faces):
        yield PredictedPicture(one.path, one.faces, one.reason, sources.popleft())
