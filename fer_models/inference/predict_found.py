"""Predict found pictures and hand the results on as they come, whatever their number."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from fer_models.errors import DataError
from fer_models.faces.found import FacesMode
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import NO_FACE_REASONS, Picture, PicturePrediction
from fer_models.inference.pictures.find import FoundPictures
from fer_models.inference.pictures.read import read_pictures
from fer_models.inference.predict_pictures import predict_pictures
from fer_models.progress import report
from fer_models.user_input import printable

MAX_SHOWN = 10
_NUM_FIRST = 20
_STAGE = "predict"


class Sink(Protocol):
    """Takes pictures and what was predicted in them, in order."""

    def add(self, picture: Picture, prediction: PicturePrediction) -> object:
        """Take one."""


@dataclass
class Summary:
    """What was predicted, in numbers."""

    counts: dict[str, int]
    """Number of faces by label, in class order."""
    num_pictures: int = 0
    """With a face at least."""
    first: list[PicturePrediction] = field(default_factory=list)
    """The first 20 pictures with faces."""
    skipped: list[PicturePrediction] = field(default_factory=list)
    """Pictures without a face, with the reason."""

    @property
    def num_faces(self) -> int:
        """In all pictures."""
        return sum(self.counts.values())


def predict_found(
    found: FoundPictures,
    model: ExpressionModel,
    faces: FacesMode = "auto",
    sinks: Sequence[Sink] = (),
    settings: FaceSettings = DEFAULT_FACES,
) -> Summary:
    """Predict pictures in order; memory does not grow with their number.

    Args:
        found: the pictures.
        model: predicts the expressions.
        faces: see `predict_pictures`.
        sinks: take each picture with its prediction.
        settings: of the search for faces.

    Raises:
        DataError: none of the pictures can be read.
        FerError: a sink failed, or what face detection needs is not installed.
    """
    summary = Summary(dict.fromkeys(model.classes, 0))
    counts: Counter[str] = Counter()
    total, is_any_readable = len(found), False
    report(_STAGE, 0, total, "pictures")
    pairs = predicted_pairs(found, model, faces, settings)
    for number, (picture, predicted) in enumerate(pairs, 1):
        for sink in sinks:
            sink.add(picture, predicted)
        counts.update(face.label for face in predicted)
        is_any_readable = is_any_readable or is_readable(predicted)
        _note(summary, predicted)
        report(_STAGE, number, total, "pictures")
    if not is_any_readable:
        raise DataError("none of the pictures can be read", skipped_lines(summary.skipped))
    summary.counts.update(counts)
    return summary


def predicted_pairs(
    found: FoundPictures,
    model: ExpressionModel,
    faces: FacesMode,
    settings: FaceSettings = DEFAULT_FACES,
) -> Iterator[tuple[Picture, PicturePrediction]]:
    """Each picture with its prediction."""
    read: deque[Picture] = deque()

    def noted() -> Iterator[Picture]:
        for picture in read_pictures(found):
            read.append(picture)
            yield picture

    for predicted in predict_pictures(noted(), model, faces, settings=settings):
        yield read.popleft(), predicted


def is_readable(predicted: PicturePrediction) -> bool:
    """Whether a picture could be read, if it has a face or not."""
    return bool(predicted.faces) or predicted.reason in NO_FACE_REASONS


def skipped_lines(skipped: Iterable[PicturePrediction]) -> list[str]:
    """One line per picture without a face, at most `MAX_SHOWN`, and the number of further ones."""
    remaining = iter(skipped)
    lines = [printable(f"{one.path}: {one.reason}") for one in islice(remaining, MAX_SHOWN)]
    more = sum(1 for _ in remaining)
    return [*lines, f"and {more} more"] if more else lines


def _note(summary: Summary, predicted: PicturePrediction) -> None:
    if not predicted.faces:
        summary.skipped.append(predicted)
        return
    summary.num_pictures += 1
    if len(summary.first) < _NUM_FIRST:
        summary.first.append(predicted)
