"""Labels and probabilities of the faces in pictures.

N faces, K classes; probabilities are 0..1, and the K of a face sum to 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_models.dataset.snapshot import Images
from fer_models.errors import DataError
from fer_models.inference.faces import Pictures, Skipped, printable, read_faces
from fer_models.labels import CLASS_NAMES
from fer_models.progress import report
from fer_models.training.inputs.data import Probabilities

PROBABILITY_COLUMNS = tuple(f"p_{name}" for name in CLASS_NAMES)
COLUMNS = ("path", "face", "label", "confidence", *PROBABILITY_COLUMNS)
MAX_SHOWN = 10
_BATCH = 1024

Predictor = Callable[[Images], Probabilities]
"""Gives the probabilities N x K of uint8 images N x 48 x 48."""


@dataclass(frozen=True)
class FacePredictions:
    """One row a face, columns as `COLUMNS`, and the pictures that were skipped.

    `face` is the number of the face in its picture, from 0; `confidence` is the probability of
    `label`.
    """

    table: pd.DataFrame
    skipped: tuple[Skipped, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many faces got each label, in the order of the classes."""
        counts = self.table["label"].value_counts()
        return {name: int(counts.get(name, 0)) for name in CLASS_NAMES}


def predict_faces(
    pictures: Pictures, predict: Predictor, batch_size: int = _BATCH
) -> FacePredictions:
    """Predict the pictures, each of which shows one face, in their order.

    Only `batch_size` images are in memory at a time.

    Raises:
        DataError: not one picture can be read.
    """
    skipped = list(pictures.skipped)
    tables = []
    done, total = 0, len(pictures.paths)
    report("predict", done, total, "pictures")
    for faces in read_faces(pictures.paths, batch_size):
        skipped += faces.skipped
        if faces.paths:
            tables.append(_table(faces.paths, predict(faces.images)))
        done += len(faces.paths) + len(faces.skipped)
        report("predict", done, total, "pictures")
    if not tables:
        raise DataError("none of the pictures can be read", skipped_lines(skipped))
    return FacePredictions(pd.concat(tables, ignore_index=True), tuple(skipped))


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """One line a skipped picture, at most `MAX_SHOWN`, then how many more there are."""
    lines = [printable(f"{one.path}: {one.reason}") for one in skipped[:MAX_SHOWN]]
    more = len(skipped) - MAX_SHOWN
    return [*lines, f"and {more} more"] if more > 0 else lines


def _table(paths: Sequence[str], probs_NK: Probabilities) -> pd.DataFrame:
    chosen_N = probs_NK.argmax(axis=1)
    labels = np.array(CLASS_NAMES)[chosen_N]
    columns = {"path": paths, "face": 0, "label": labels, "confidence": probs_NK.max(axis=1)}
    probabilities = dict(zip(PROBABILITY_COLUMNS, probs_NK.T, strict=True))
    return pd.DataFrame({**columns, **probabilities}).astype({"path": "str", "label": "str"})
