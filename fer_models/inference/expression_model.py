"""A model that predicts expressions, whatever it is made of: a network, an ensemble, an ONNX file.

N faces, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError

Probabilities = npt.NDArray[np.float32]
Predictor = Callable[[Images], Probabilities]
"""Maps uint8 images of the model's format to probabilities N x K; other images are a DataError."""
Unfamiliarity = Callable[[Images], npt.NDArray[np.float32]]
"""Maps uint8 images of the model's format to N scores, 0..1; NaN if unknown."""


@dataclass(frozen=True)
class ExpressionModel:
    """A loaded model.

    `unfamiliarity` scores how little an image looks like the faces that the model was trained on:
    the share of held-out training faces that look more familiar (0.99: 99 %). None: unknown.
    """

    name: str
    """In full: `bundled:face_cnn`, the path of a bundle, or the id of a stored model."""
    classes: tuple[str, ...]
    predict: Predictor
    image_format: ImageFormat = THUMBNAIL
    """Of the images that `predict` takes."""
    unfamiliarity: Unfamiliarity | None = None
    temperature: float | None = None
    """What calibrates the probabilities of `predict`, fitted to validation images; above 1 they
    become less confident. None: they are not calibrated."""

    @property
    def is_calibrated(self) -> bool:
        """Whether a temperature, fitted to validation images, scales the probabilities."""
        return self.temperature is not None


def checking_predictor(predict: Predictor, image_format: ImageFormat, name: str) -> Predictor:
    """The predictor of a model by that name; it refuses images that are not of the format.

    Example:
        checking_predictor(predict, THUMBNAIL, "m")(images / 255)  # DataError
    """

    def checked(images: Images) -> Probabilities:
        _check_images(images, image_format, name)
        return predict(images)

    return checked


def _check_images(images: object, image_format: ImageFormat, name: str) -> None:
    got = type(images).__name__
    if isinstance(images, np.ndarray):
        if images.dtype == np.uint8 and images.shape[1:] == image_format.shape:
            return
        got = f"{images.dtype} of shape {images.shape}"
    expected = " x ".join(map(str, ("N", *image_format.shape)))
    raise DataError(
        f"{name}: expected uint8 images {expected}, got {got}; pass faces of any size, or floats "
        '0..1, to fer_models.predict(list(pictures), model=model, faces="crop"), and one image as '
        "image[None]"
    )
