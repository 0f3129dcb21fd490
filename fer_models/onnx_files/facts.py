"""Metadata of an ONNX file, as JSON under the key `ferflow`."""

from typing import Literal

from pydantic import Field

from fer_models.base_config import FrozenConfig
from fer_models.dataset.image_format import Fit, ImageFormat

METADATA_KEY = "ferflow"
ONNX_SUFFIX = ".onnx"
IMAGES, VIEWS, PROBABILITIES = "images", "views", "probabilities"
"""Names of the two inputs and the output."""
Precision = Literal["float32", "int8"]


class FormatFacts(FrozenConfig):
    """The format to which the graph brings all images."""

    size_px: int = Field(ge=1)
    channels: Literal[1, 3]
    fit: Fit


class NetworkFacts(FrozenConfig):
    """A network in the file."""

    name: str
    image_size_px: int
    """Side of its input."""
    in_channels: int
    mean: float
    std: float
    tta: str
    """Which views the file can compute, see `training.inputs.tta`."""


class AccuracyFacts(FrozenConfig):
    """Accuracy, 0..1, on `n` images."""

    accuracy: float = Field(ge=0, le=1)
    n: int = Field(ge=1)


class OnnxFacts(FrozenConfig):
    """What is known of a model in an ONNX file."""

    format: Literal[1] = 1
    model: str
    """Where it was exported from: `bundled:face_cnn`, the id of a stored model."""
    classes: tuple[str, ...] = Field(min_length=2)
    """In the order of the probabilities."""
    image_format: FormatFacts
    views: int = Field(ge=1)
    """Views of each image, if the input `views` is left out; the most that the file can compute."""
    networks: tuple[NetworkFacts, ...] = Field(min_length=1)
    combination: str = ""
    """How several networks are combined: `mean`, `majority` or `stacking`."""
    temperature: float = 1.0
    """By which the probabilities of the combination are calibrated; 1: not at all."""
    temperatures: dict[int, float] = Field(default_factory=dict)
    """Of a single network: what calibrates its probabilities, by number of views. With other
    numbers of views they are not calibrated."""
    weights_sha256: str
    """Of the file of weights that it was exported from."""
    accuracy: dict[str, AccuracyFacts] = Field(default_factory=dict)
    """Of the model that was exported, with all views, by evaluation set."""
    final_fit_of: str = ""
    """Of a final fit: the model that it repeats, which was measured on the validation images."""
    precision: Precision = "float32"
    same_answers: float | None = Field(default=None, ge=0, le=1)
    """Of an int8 file: share of the calibration images that it answers as float32 does, by one
    view; None for float32, and for files of earlier versions."""
    ferflow: str
    """The version that wrote the file."""
    familiarity: str = ""
    """How unlike the training's faces an image looks, see `FaceFamiliarity`; empty if unknown."""

    def temperature_at(self, views: int) -> float | None:
        """What calibrates the probabilities with so many views; None: nothing does."""
        return self.temperature if self.combination else self.temperatures.get(views)

    @property
    def target(self) -> ImageFormat:
        """The format of the images that the networks were trained on."""
        return ImageFormat(**self.image_format.model_dump())
