"""A model that predicts expressions, whatever it is made of: a network, an ensemble, an ONNX file.

N faces, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.dataset.snapshot import Images

Probabilities = npt.NDArray[np.float32]
Predictor = Callable[[Images], Probabilities]
"""Maps uint8 images of the model's format to probabilities N x K."""
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
    is_calibrated: bool = False
    """Whether a temperature, fitted on validation images, scales the probabilities."""
