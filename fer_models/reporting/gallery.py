"""Face images of the page, chosen deterministically."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fer_models.dataset.snapshot import KEPT, QUARANTINED, DatasetSnapshot
from fer_models.evaluation.predictions import Predictions
from fer_models.plotting.embedded import embedded_png

SAMPLES_PER_CLASS = 12
MAX_SAMPLES = 144
"""Of all classes together: colour faces take 20 kB each, and a data set may have 60 classes."""
MAX_QUARANTINED = 20
MAX_MISTAKES = 20


@dataclass(frozen=True)
class FaceImage:
    """One image on the page.

    Attributes:
        source: data URI of a PNG.
        title, note: the two lines below the image; together its text alternative.
        image_id: id in the manifest.
    """

    source: str
    title: str
    note: str
    image_id: str


def samples_by_class(snapshot: DatasetSnapshot) -> list[tuple[str, list[FaceImage]]]:
    """Up to 12 kept images of each class, fewer of many, evenly spaced in the manifest."""
    table = snapshot.manifest
    names = snapshot.classes.names
    count = max(1, min(SAMPLES_PER_CLASS, MAX_SAMPLES // len(names)))
    groups = []
    for number, name in enumerate(names):
        mask = (table["status"] == KEPT) & (table["label"] == number)
        positions = _spread(np.flatnonzero(mask.to_numpy()), count)
        if len(positions):
            groups.append((name, [face_of(snapshot, p, "", "") for p in positions]))
    return groups


def quarantined_faces(snapshot: DatasetSnapshot) -> list[FaceImage]:
    """Up to 20 quarantined images, taken from all reasons in rotation."""
    table = snapshot.manifest
    held = table[table["status"] == QUARANTINED]
    rank_in_reason = held.groupby("reason").cumcount()
    order = np.lexsort((held["reason"].to_numpy(dtype=str), rank_in_reason.to_numpy()))
    positions = np.sort(held.index.to_numpy()[order][:MAX_QUARANTINED])
    reasons = table["reason"].to_numpy()
    by_reason = sorted(positions, key=lambda position: (str(reasons[position]), position))
    return [
        face_of(snapshot, p, str(reasons[p]).replace("_", " "), _label_text(snapshot, p))
        for p in by_reason
    ]


def confident_mistakes(snapshot: DatasetSnapshot, predictions: Predictions) -> list[FaceImage]:
    """Up to 20 misclassified images, the most confident first."""
    predicted = predictions.probs_NK.argmax(axis=1)
    confidence = predictions.probs_NK.max(axis=1)
    names = snapshot.classes.names
    wrong = np.flatnonzero(predicted != predictions.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")][:MAX_MISTAKES]
    return [
        face_of(
            snapshot,
            int(predictions.positions[row]),
            f"{names[predicted[row]]} {100 * confidence[row]:.0f}\u202f%",
            f"labelled {names[predictions.labels[row]]}",
        )
        for row in worst
    ]


def _spread(positions: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    if len(positions) <= count:
        return positions
    return positions[np.linspace(0, len(positions) - 1, count).astype(np.int64)]


def _label_text(snapshot: DatasetSnapshot, position: int) -> str:
    label = int(snapshot.manifest["label"].iloc[position])
    return f"labelled {snapshot.classes.names[label]}" if label >= 0 else "unlabelled"


def face_of(snapshot: DatasetSnapshot, position: int, title: str, note: str) -> FaceImage:
    """The image at a position of the snapshot, with two lines of text."""
    encoded = embedded_png(snapshot.images[position])
    image_id = str(snapshot.manifest["image_id"].iloc[position])
    return FaceImage(f"data:image/png;base64,{encoded}", title, note, image_id)
