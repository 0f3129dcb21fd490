"""Predict the expressions of all faces in pictures.

N faces, K classes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from fer_models.faces.cut import cut_face
from fer_models.faces.finder import face_finder
from fer_models.faces.found import FaceFinder, FacesMode, FoundFace
from fer_models.faces.settings import DEFAULT_FACES, FaceSettings
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import NO_FACE, Picture, PicturePrediction, PredictedFace
from fer_models.inference.pictures.batches import batches, map_pictures
from fer_models.ingest.files.image_decoding import PixelImage, quiet_decoding

_BATCH = 1024
_CROP_SIDE_PX = 64


@dataclass(frozen=True)
class _Crop:
    """An image for the model, and where it comes from; None: the whole picture."""

    image: PixelImage
    face: FoundFace | None = None


_Crops = list[_Crop] | str
"""The faces of a picture, or why there is none."""


def predict_pictures(
    pictures: Iterable[Picture],
    model: ExpressionModel,
    faces: FacesMode = "auto",
    batch_size: int | None = None,
    settings: FaceSettings = DEFAULT_FACES,
) -> Iterator[PicturePrediction]:
    """Yield one prediction for each picture, in order.

    At most `batch_size` pictures are in memory at a time, fewer of large ones, and they are decoded
    on all cores. A picture that can't be read, or that
    shows no face, has no faces and a reason.

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
    find_faces, batch_size = face_finder(settings), batch_size or _BATCH
    for batch in batches(pictures, batch_size):
        with quiet_decoding():
            crops = map_pictures(lambda one: _crops(one, model, faces, find_faces), batch)
        yield from _predict(batch, crops, model, batch_size)


def _crops(
    picture: Picture, model: ExpressionModel, faces: FacesMode, find_faces: FaceFinder
) -> _Crops:
    if faces == "crop":
        return _whole(picture, model)
    photo = picture.as_photo()
    if isinstance(photo, str):
        return photo
    if faces == "auto" and max(photo.pixels.shape[:2]) <= _CROP_SIDE_PX:
        return _whole(picture, model)
    [found] = find_faces([photo.pixels])
    return [
        _Crop(cut_face(photo.pixels, face, model.image_format), face.scaled(photo.scale))
        for face in found
    ] or NO_FACE


def _whole(picture: Picture, model: ExpressionModel) -> _Crops:
    crop = picture.as_crop(model.image_format)
    return crop if isinstance(crop, str) else [_Crop(crop)]


def _predict(
    batch: Sequence[Picture], crops: Sequence[_Crops], model: ExpressionModel, batch_size: int
) -> Iterator[PicturePrediction]:
    all_crops = [crop for one in crops if not isinstance(one, str) for crop in one]
    predicted = iter(
        [
            face
            for start in range(0, len(all_crops), batch_size)
            for face in _predict_crops(all_crops[start : start + batch_size], model)
        ]
    )
    for picture, one in zip(batch, crops, strict=True):
        if isinstance(one, str):
            yield PicturePrediction(picture.path, (), reason=one)
        else:
            yield PicturePrediction(picture.path, tuple(islice(predicted, len(one))))


def _predict_crops(crops: Sequence[_Crop], model: ExpressionModel) -> list[PredictedFace]:
    stacked = np.stack([crop.image for crop in crops])
    probs_NK = model.predict(stacked)
    scores = None if model.unfamiliarity is None else model.unfamiliarity(stacked)
    whole = [
        PredictedFace(
            label=model.classes[int(probs_K.argmax())],
            confidence=float(probs_K.max()),
            probabilities=dict(zip(model.classes, map(float, probs_K), strict=True)),
            unfamiliarity=None if scores is None else float(scores[number]),
        )
        for number, probs_K in enumerate(probs_NK)
    ]
    return [_located(face, crop.face) for face, crop in zip(whole, crops, strict=True)]


def _located(predicted: PredictedFace, face: FoundFace | None) -> PredictedFace:
    if face is None:
        return predicted
    return replace(predicted, box=face.box, landmarks=face.landmarks, detection_score=face.score)
