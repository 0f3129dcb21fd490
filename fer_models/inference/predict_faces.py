"""Predict labels and probabilities of the faces in pictures.

N faces, K classes; probabilities are 0..1, and the K of a face sum to 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.errors import DataError
from fer_models.inference.expression_model import Predictor
from fer_models.inference.faces import Pictures, Skipped, printable, read_faces
from fer_models.progress import report
from fer_models.training.inputs.data import Probabilities

COLUMNS = ("path", "face", "label", "confidence")
"""Columns of every table of predictions; then follows one of probabilities for each class."""
MAX_SHOWN = 10
_BATCH = 1024


@dataclass(frozen=True)
class FacePredictions:
    """Table with one row per face, and the skipped pictures.

    The columns are `COLUMNS`, then `p_<class>` for each class.

    `face` is the index of the face in its picture, from 0; `confidence` is the probability of
    `label`.
    """

    table: pd.DataFrame
    skipped: tuple[Skipped, ...]
    classes: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of faces per label, in class order."""
        counts = self.table["label"].value_counts()
        return {name: int(counts.get(name, 0)) for name in self.classes}


def predict_faces(
    pictures: Pictures,
    predict: Predictor,
    classes: Sequence[str],
    batch_size: int = _BATCH,
    image_format: ImageFormat = THUMBNAIL,
) -> FacePredictions:
    """Predict pictures of one face each, in order.

    At most `batch_size` images are in memory at a time. `classes` are the K names of the model, and
    `image_format` is the format that it was trained on (`recorded_format` of its preprocessing).

    Raises:
        DataError: no picture can be read.

    Example:
        network, preprocessing, _ = load_bundle(default_bundle())
        predictions = predict_faces(
            find_pictures(["faces/"]),
            lambda images: predict_probabilities(network, preprocessing, images),
            preprocessing["classes"],
        )
        predictions.table[["path", "label", "confidence"]]
    """
    skipped = list(pictures.skipped)
    tables = []
    done, total = 0, len(pictures.paths)
    report("predict", done, total, "pictures")
    for faces in read_faces(pictures.paths, batch_size, image_format):
        skipped += faces.skipped
        if faces.paths:
            tables.append(_table(faces.paths, predict(faces.images), classes))
        done += len(faces.paths) + len(faces.skipped)
        report("predict", done, total, "pictures")
    if not tables:
        raise DataError("none of the pictures can be read", skipped_lines(skipped))
    table = pd.concat(tables, ignore_index=True)
    return FacePredictions(table, tuple(skipped), tuple(classes))


def skipped_lines(skipped: Sequence[Skipped]) -> list[str]:
    """One line per skipped picture, at most `MAX_SHOWN`, and the number of further ones."""
    lines = [printable(f"{one.path}: {one.reason}") for one in skipped[:MAX_SHOWN]]
    more = len(skipped) - MAX_SHOWN
    return [*lines, f"and {more} more"] if more > 0 else lines


def _table(paths: Sequence[str], probs_NK: Probabilities, classes: Sequence[str]) -> pd.DataFrame:
    labels = np.array(classes)[probs_NK.argmax(axis=1)]
    columns = {"path": paths, "face": 0, "label": labels, "confidence": probs_NK.max(axis=1)}
    probabilities = {f"p_{name}": part for name, part in zip(classes, probs_NK.T, strict=True)}
    return pd.DataFrame({**columns, **probabilities}).astype({"path": "str", "label": "str"})
