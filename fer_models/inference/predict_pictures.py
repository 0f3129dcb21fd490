"""Predict the expressions of all faces in pictures.

N faces, K classes.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.ingest.files.image_decoding import PixelImage, quiet_decoding

_BATCH = 256


def predict_pictures(
    pictures: Iterable[Picture],
    model: ExpressionModel,
    batch_size: int = _BATCH,
) -> Iterator[PicturePrediction]:
    """Yield one prediction for each picture, in order.

    At most `batch_size` pictures are in memory at a time. A picture that can't be read, or that
    shows no face, has no faces and a reason.

    Example:
        model = open_model("bundled")
        for predicted in predict_pictures([Picture("a.png", data=data)], model):
            print(predicted.path, [face.label for face in predicted.faces], predicted.reason)
    """
    remaining = iter(pictures)
    while batch := list(islice(remaining, batch_size)):
        yield from _predict_crops(batch, model)


def _predict_crops(batch: Sequence[Picture], model: ExpressionModel) -> Iterator[PicturePrediction]:
    with quiet_decoding():
        crops = [picture.as_crop(model.image_format) for picture in batch]
    images = [crop for crop in crops if not isinstance(crop, str)]
    faces = iter(_predict_images(images, model))
    for picture, crop in zip(batch, crops, strict=True):
        if isinstance(crop, str):
            yield PicturePrediction(picture.path, (), reason=crop)
        else:
            yield PicturePrediction(picture.path, (next(faces),))


def _predict_images(images: Sequence[PixelImage], model: ExpressionModel) -> list[PredictedFace]:
    if not images:
        return []
    stacked = np.stack(images)
    probs_NK = model.predict(stacked)
    scores = None if model.unfamiliarity is None else model.unfamiliarity(stacked)
    return [
        PredictedFace(
            label=model.classes[int(probs_K.argmax())],
            confidence=float(probs_K.max()),
            probabilities=dict(zip(model.classes, map(float, probs_K), strict=True)),
            unfamiliarity=None if scores is None else float(scores[number]),
        )
        for number, probs_K in enumerate(probs_NK)
    ]
