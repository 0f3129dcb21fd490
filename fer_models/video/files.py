"""Files and tables of what was found in a video: one row, or one line, per face and frame."""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TextIO

from fer_models.errors import ConfigError
from fer_models.inference.results.files import append_csv, safe_path
from fer_models.inference.results.table import BOX_COLUMNS
from fer_models.output_file import replacing
from fer_models.video.predict_video import FramePrediction, TrackedFace

if TYPE_CHECKING:
    import pandas as pd

VideoFormat = Literal["csv", "jsonl"]
COLUMNS = ("frame", "time_s", "track", "label", "confidence", *BOX_COLUMNS, "detection_score")
"""Columns of a table; then follows one of probabilities for each class."""


def video_table(predictions: Iterable[FramePrediction], classes: Sequence[str]) -> "pd.DataFrame":
    """One row per face of an analysed frame; frames without a face have none."""
    import pandas as pd

    rows = [_row(one, face, classes) for one in predictions for face in one.faces]
    columns = [*COLUMNS, *(f"p_{name}" for name in classes)]
    table = pd.DataFrame.from_records(rows, columns=columns)
    integers = ("frame", "track", *BOX_COLUMNS)
    return table.astype(
        {c: "str" if c == "label" else "Int64" if c in integers else "float64" for c in columns}
    )


def video_format(path: Path, wanted: str | None = None) -> VideoFormat:
    """The format of a file by its ending, unless one is wanted.

    Raises:
        ConfigError: it is not csv or jsonl.
    """
    name = wanted or path.suffix.lower().removeprefix(".")
    if name == "csv":
        return "csv"
    if name in ("jsonl", "ndjson"):
        return "jsonl"
    raise ConfigError(
        f"{path}: expected a file name that ends with .csv or .jsonl for a video, got "
        f"{name or 'none of them'}; choose such a name, or pass --format"
    )


class VideoFile:
    """Takes the predictions of frames in order, and writes each at once."""

    def __init__(self, stream: TextIO, classes: tuple[str, ...], form: VideoFormat) -> None:
        self._stream, self._classes, self._form = stream, classes, form
        if form == "csv":
            self._append((), header=True)

    def add(self, prediction: FramePrediction) -> None:
        """Add the faces of a frame."""
        if self._form == "csv":
            self._append((prediction,), header=False)
        else:
            line = json.dumps(prediction.as_dict(), ensure_ascii=False, allow_nan=False)
            self._stream.write(f"{line}\n")

    def _append(self, predictions: Sequence[FramePrediction], *, header: bool) -> None:
        table = video_table(predictions, self._classes)
        safe = table.assign(label=table["label"].map(safe_path))
        append_csv(safe, self._stream, header=header, quoting=csv.QUOTE_NONNUMERIC)


@contextmanager
def video_file(path: Path, classes: Sequence[str], form: VideoFormat) -> Iterator[VideoFile]:
    """A file of predictions; it replaces an existing one at the end, and an error keeps that.

    Raises:
        FerError: it can't be written.
    """
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield VideoFile(stream, tuple(classes), form)


def _row(one: FramePrediction, tracked: TrackedFace, classes: Sequence[str]) -> tuple[Any, ...]:
    face = tracked.face
    return (
        one.frame,
        one.time_s,
        tracked.track,
        face.label,
        face.confidence,
        *(face.box or (None,) * len(BOX_COLUMNS)),
        face.detection_score,
        *(face.probabilities[name] for name in classes),
    )
