"""Predict the expressions of all faces in pictures.

N faces, K classes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from fer_models.faces.found import FacesMode
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.pictures.batches import batches, map_pictures
from fer_models.inference.pictures.face_images import FaceImage, FaceImageReader, FaceImages
from fer_models.ingest.files.image_pixels import quiet_decoding

_BATCH = 1024


def predict_pictures(
    pictures: Iterable[Picture],
    model: ExpressionModel,
    faces: FacesMode = "auto",
    batch_size: int | None = None,
    settings: FaceSettings = DEFAULT_FACES,
) -> Iterator[PicturePrediction]:
    """Yield one prediction for each picture, in order.

    At most `batch_size` pictures are in memory at a time, fewer of large ones, and they are decoded
    on all cores. A picture that can't be read, or that shows no face, has no faces and a reason.

    Args:
        pictures: files or pixels.
        model: predicts the expressions.
        faces: `crop`: each picture is one face; `detect`: search for faces; `auto`: decide for each
            picture, see `docs/faces.md`.
        batch_size: the most pictures to read at a time; 1,024 by default.
        settings: of the search for faces.

    Raises:
        FerError: faces are searched for, and what the detector needs is not installed.

    Example:
        model = open_model("bundled")
        for predicted in predict_pictures([Picture("a.png", data=data)], model):
            print(predicted.path, [face.label for face in predicted.faces], predicted.reason)
    """
    reader, batch_size = FaceImageReader(model.image_format, faces, settings), batch_size or _BATCH
    for batch in batches(pictures, batch_size):
        with quiet_decoding():
            found = map_pictures(reader.read, batch)
        yield from _predict(batch, found, model, batch_size)


@dataclass(frozen=True)
class _Scored:
    """A face image with its unfamiliarity; None: the model does not know."""

    part: FaceImage
    score: float | None

    @property
    def is_kept(self) -> bool:
        return self.score is None or self.score <= self.part.max_unfamiliarity


def _predict(
    batch: Sequence[Picture], found: Sequence[FaceImages], model: ExpressionModel, batch_size: int
) -> Iterator[PicturePrediction]:
    scored = iter(
        _scored([part for one in found if not isinstance(one, str) for part in one], model)
    )
    by_picture = [[] if isinstance(one, str) else list(islice(scored, len(one))) for one in found]
    kept = [one for parts in by_picture for one in parts if one.is_kept]
    starts = range(0, len(kept), batch_size)
    predicted = (
        face for start in starts for face in _predict_kept(kept[start : start + batch_size], model)
    )
    for picture, one, parts in zip(batch, found, by_picture, strict=True):
        faces = tuple(islice(predicted, sum(part.is_kept for part in parts)))
        otherwise = one if isinstance(one, str) else one[0].otherwise
        yield PicturePrediction(picture.path, faces, reason="" if faces else otherwise)


def _scored(parts: Sequence[FaceImage], model: ExpressionModel) -> list[_Scored]:
    if model.unfamiliarity is None or not parts:
        return [_Scored(part, None) for part in parts]
    scores = model.unfamiliarity(np.stack([part.image for part in parts]))
    known = (None if np.isnan(score) else float(score) for score in scores)
    return [_Scored(part, score) for part, score in zip(parts, known, strict=True)]


def _predict_kept(kept: Sequence[_Scored], model: ExpressionModel) -> Iterator[PredictedFace]:
    probs_NK = model.predict(np.stack([one.part.image for one in kept]))
    for one, probs_K in zip(kept, probs_NK, strict=True):
        face = one.part.face
        yield PredictedFace(
            label=model.classes[int(probs_K.argmax())],
            confidence=float(probs_K.max()),
            probabilities=dict(zip(model.classes, map(float, probs_K), strict=True)),
            box=None if face is None else face.box,
            landmarks=() if face is None else face.landmarks,
            detection_score=None if face is None else face.score,
            unfamiliarity=one.score,
        )
