"""Small face images for the page, chosen without a random draw."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import KEPT, QUARANTINED, DatasetSnapshot
from fer_models.evaluation.predictions import Predictions
from fer_models.labels import CLASS_NAMES

FACES_A_CLASS = 12
MAX_QUARANTINED = 20
MAX_MISTAKES = 20


@dataclass(frozen=True)
class Tile:
    """One image: a data URI, two lines below it, and a text for readers who can't see it."""

    source: str
    title: str
    note: str
    image_id: str


def faces_by_class(snapshot: DatasetSnapshot) -> list[tuple[str, list[Tile]]]:
    """For each class that has kept images, up to 12 of them, evenly spread over the table."""
    table = snapshot.manifest
    groups = []
    for number, name in enumerate(CLASS_NAMES):
        mask = (table["status"] == KEPT) & (table["label"] == number)
        positions = _spread(np.flatnonzero(mask.to_numpy()), FACES_A_CLASS)
        if len(positions):
            groups.append((name, [_tile(snapshot, p, "", "") for p in positions]))
    return groups


def quarantined(snapshot: DatasetSnapshot) -> list[Tile]:
    """Up to 20 quarantined images, every reason in turn."""
    table = snapshot.manifest
    held = table[table["status"] == QUARANTINED]
    rank_in_reason = held.groupby("reason").cumcount()
    order = np.lexsort((held["reason"].to_numpy(dtype=str), rank_in_reason.to_numpy()))
    positions = np.sort(held.index.to_numpy()[order][:MAX_QUARANTINED])
    reasons = table["reason"].to_numpy()
    by_reason = sorted(positions, key=lambda position: (str(reasons[position]), position))
    return [
        _tile(snapshot, p, str(reasons[p]).replace("_", " "), f"labelled {_label(snapshot, p)}")
        for p in by_reason
    ]


def mistakes(snapshot: DatasetSnapshot, predictions: Predictions) -> list[Tile]:
    """Up to 20 wrongly recognised images, the most confident mistake first."""
    predicted = predictions.probs_NK.argmax(axis=1)
    confidence = predictions.probs_NK.max(axis=1)
    wrong = np.flatnonzero(predicted != predictions.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISTAKES]
    return [
        _tile(
            snapshot,
            int(predictions.positions[row]),
            f"{CLASS_NAMES[predicted[row]]} {100 * confidence[row]:.0f}\u202f%",
            f"labelled {CLASS_NAMES[predictions.labels[row]]}",
        )
        for row in worst
    ]


def _spread(positions: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]


def _label(snapshot: DatasetSnapshot, position: int) -> str:
    label = int(snapshot.manifest["label"].iloc[position])
    return CLASS_NAMES[label] if label >= 0 else "nothing"


def _tile(snapshot: DatasetSnapshot, position: int, title: str, note: str) -> Tile:
    from PIL import Image

    buffer = io.BytesIO()
    pixels = np.ascontiguousarray(snapshot.images[position])
    Image.fromarray(pixels).save(buffer, format="PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    image_id = str(snapshot.manifest["image_id"].iloc[position])
    return Tile(f"data:image/png;base64,{encoded}", title, note, image_id)
