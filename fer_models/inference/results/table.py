"""Predictions as a table: one row per face."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fer_models.inference.picture import PicturePrediction, PredictedFace

if TYPE_CHECKING:
    import pandas as pd

BOX_COLUMNS = ("left", "top", "right", "bottom")
COLUMNS = (
    "path", "face", "label", "confidence", *BOX_COLUMNS, "detection_score", "unfamiliarity",
    "reason",
)  # fmt: skip
"""Columns of every table of predictions; then follows one of probabilities for each class."""
_TEXTS, _INTEGERS = ("path", "label", "reason"), ("face", *BOX_COLUMNS)


def prediction_table(
    predictions: Iterable[PicturePrediction], classes: Sequence[str] = ()
) -> "pd.DataFrame":
    """One row per face, and one without a face for each picture that has none.

    The columns are `COLUMNS`, then `p_<class>` for each class. `face` is the index of the face in
    its picture, from 0; `confidence` is the probability of `label`. Coordinates are pixels of the
    upright picture, missing if the whole picture is the face. Text columns are empty, not missing.

    Args:
        predictions: of pictures.
        classes: of the model; by default those of the first face.
    """
    import pandas as pd

    known = list(predictions)
    names = tuple(classes) or next((tuple(face.probabilities) for p in known for face in p), ())
    columns = (*COLUMNS, *(f"p_{name}" for name in names))
    rows = [row for prediction in known for row in _rows(prediction, names)]
    table = pd.DataFrame.from_records(rows, columns=list(columns))
    types: dict[str, Any] = {
        name: "str" if name in _TEXTS else "Int64" if name in _INTEGERS else "float64"
        for name in columns
    }
    return table.astype(types)


def _rows(prediction: PicturePrediction, classes: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    if not prediction.faces:
        blanks = (None,) * (len(COLUMNS) - 4)
        missing = (None,) * len(classes)
        yield (prediction.path, None, "", *blanks, prediction.reason, *missing)
    for number, face in enumerate(prediction.faces):
        yield _row(prediction.path, number, face, classes)


def _row(path: str, number: int, face: PredictedFace, classes: Sequence[str]) -> tuple[Any, ...]:
    return (
        path,
        number,
        face.label,
        face.confidence,
        *(face.box or (None,) * len(BOX_COLUMNS)),
        face.detection_score,
        face.unfamiliarity,
        "",
        *(face.probabilities[name] for name in classes),
    )
