"""Heat maps of right and wrong answers: where a network looks (Grad-CAM)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import DatasetSnapshot
from fer_models.evaluation.predictions import Predictions
from fer_models.plotting.embedded import embedded_png
from fer_models.storage.refs import ModelRef
from fer_models.storage.store import ArtifactStore

MAX_RIGHT = 10
MAX_WRONG = 10
_WEIGHTS_FILE = "weights.safetensors"
_GLOW = np.array([255.0, 176.0, 0.0])
_PEAK = np.array([220.0, 38.0, 127.0])
_STRENGTH = 0.72
_LUMA = np.array([0.299, 0.587, 0.114])

Heat = npt.NDArray[np.float32]
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeatTile:
    """One answer: the face, the heat of the answer, and that of the label if the answer is wrong.

    Images are data URIs of PNGs; `label_heat` is empty for a right answer.
    """

    face: str
    answer_heat: str
    label_heat: str
    answer: str
    label: str
    confidence: float
    image_id: str


@dataclass(frozen=True)
class HeatPanel:
    """Heat maps of one network; without any, `missing` says why in a sentence."""

    network: str = ""
    right: list[HeatTile] = field(default_factory=list)
    wrong: list[HeatTile] = field(default_factory=list)
    missing: str = ""


def heat_panel(
    store: ArtifactStore, snapshot: DatasetSnapshot, network: ModelRef, predictions: Predictions
) -> HeatPanel:
    """Heat maps of a network on images of one split.

    Args:
        store: holds the network.
        snapshot: holds the images.
        network: a stored network, no ensemble.
        predictions: those of this network on the split.

    Raises:
        StoreError: the network is damaged, or does not fit this version.
    """
    if _WEIGHTS_FILE not in store.describe(network).files:
        return HeatPanel(network.name, missing=f"The weights of {network.name} are not stored.")
    right, wrong = typical_hits(predictions), confident_misses(predictions)
    rows = np.concatenate([right, wrong])
    answers = predictions.probs_NK.argmax(axis=1)[rows]
    labels = predictions.labels[rows]
    images = np.ascontiguousarray(snapshot.images[predictions.positions[rows]])
    try:
        heats = _heat_maps(store, network, images, (answers, labels))
    except ImportError as error:
        # A machine that only trains and predicts needs neither the library nor OpenCV.
        return HeatPanel(network.name, missing=f"The library grad-cam can't be loaded ({error}).")
    if heats is None:
        return HeatPanel(
            network.name,
            missing=f"{network.name} has no spatial feature maps (as a vision transformer), which "
            "Grad-CAM needs.",
        )
    names = snapshot.classes.names
    ids = snapshot.image_ids(predictions.positions[rows])
    tiles = [
        HeatTile(
            face=_png(image),
            answer_heat=_png(overlay(image, answer_heat)),
            label_heat="" if answer == label else _png(overlay(image, label_heat)),
            answer=names[answer],
            label=names[label],
            confidence=float(predictions.probs_NK[row, answer]),
            image_id=image_id,
        )
        for row, image, answer, label, answer_heat, label_heat, image_id in zip(
            rows, images, answers, labels, *heats, ids, strict=True
        )
    ]
    return HeatPanel(network.name, tiles[: len(right)], tiles[len(right) :])


def typical_hits(predictions: Predictions) -> Positions:
    """Rows of right answers, one for each class: the one of median confidence."""
    confidence = predictions.probs_NK.max(axis=1)
    rows = []
    for number in range(predictions.probs_NK.shape[1]):
        hits = np.flatnonzero(predictions.correct & (predictions.labels == number))
        if len(hits):
            order = np.argsort(confidence[hits], kind="stable")
            rows.append(int(hits[order[len(hits) // 2]]))
    return np.array(rows[:MAX_RIGHT], dtype=np.int64)


def confident_misses(predictions: Predictions) -> Positions:
    """Rows of wrong answers, the most confident first."""
    wrong = np.flatnonzero(~predictions.correct)
    confidence = predictions.probs_NK.max(axis=1)[wrong]
    return wrong[np.argsort(-confidence, kind="stable")][:MAX_WRONG].astype(np.int64)


def overlay(image: npt.NDArray[np.uint8], heat: Heat) -> npt.NDArray[np.uint8]:
    """An image, grey, under a heat map (0..1): yellow is warm, magenta hottest; S x S x 3."""
    grey = image.astype(np.float64) if image.ndim == 2 else image @ _LUMA
    amount = heat.astype(np.float64)[..., None]
    colour = (1 - amount) * _GLOW + amount * _PEAK
    mixed = (1 - _STRENGTH * amount) * grey[..., None] + _STRENGTH * amount * colour
    shown: npt.NDArray[np.uint8] = np.clip(np.round(mixed), 0, 255).astype(np.uint8)
    return shown


def _heat_maps(
    store: ArtifactStore,
    network: ModelRef,
    images: npt.NDArray[np.uint8],
    explained: Sequence[Positions],
) -> list[Heat] | None:
    from fer_models.inference.heat.grad_cam import grad_cam
    from fer_models.training.predict import load_network

    loaded, preprocessing = load_network(store, network)
    heats = []
    for classes in explained:
        heat = grad_cam(loaded, preprocessing, images, classes)
        if heat is None:
            return None
        heats.append(heat)
    return heats


def _png(image: npt.NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{embedded_png(image)}"
