"""How well faces are found, cut out and told from other pictures.

    python -m tests.benchmarks.bench_faces --images fer2013.parquet [--faces N] [--model NAME]

Faces of FER2013's PublicTest are pasted into photos, see `face_pictures`. The accuracy of the
found faces is compared with that of the crops which were pasted, and so is that of the pasted
squares, which shows what pasting and cutting alone cost. Settings are tuned on every other face
(`--tuning`) and measured on the rest.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

from fer_models.dataset.snapshot import Images
from fer_models.faces.cut import cut_frame
from fer_models.faces.finder import face_finder
from fer_models.faces.found import Colours, FacesMode, FoundFace
from fer_models.faces.settings import DEFAULT_FACES, Detector, FaceSettings
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.predict_pictures import predict_pictures
from tests.benchmarks import face_pictures
from tests.benchmarks.face_pictures import LARGEST_PX, SMALLEST_PX, Scene

_SIZES = (SMALLEST_PX, 80, 160, LARGEST_PX + 1)
_LEVELS = (0.97, 0.99, 0.995)
_TIMED = 100  # scenes
Labels = npt.NDArray[np.int64]


def bench_found(scenes: Sequence[Scene], model: ExpressionModel, settings: FaceSettings) -> Any:
    """Recall, false faces, accuracy of the crops and of the found faces, by size of the face."""
    find_faces = face_finder(settings)
    find_faces([scenes[0].photo])
    timed, start = scenes[:_TIMED], time.process_time()
    for scene in timed:
        find_faces([scene.photo])
    cpu_ms = 1000 * (time.process_time() - start) / len(timed)
    crops = _predict([scene.crop for scene in scenes], model, "crop")
    squares = [cut_frame(scene.photo, scene.square, model.image_format) for scene in scenes]
    known = _predict(squares, model, "crop")
    photos = _predict([scene.photo for scene in scenes], model, "auto", settings)
    rows = [
        _compared(scene, crop, square, photo, model)
        for scene, crop, square, photo in zip(scenes, crops, known, photos, strict=True)
    ]
    sides = np.array([scene.side_px for scene in scenes])
    values = np.array(rows, dtype=np.float64)
    result = {"cpu_ms": round(cpu_ms), "all": _summary(values)}
    for low, high in itertools.pairwise(_SIZES):
        result[f"{low} to {high - 1} px"] = _summary(values[(sides >= low) & (sides < high)])
    return result


def _compared(
    scene: Scene,
    crop: PicturePrediction,
    square: PicturePrediction,
    photo: PicturePrediction,
    model: ExpressionModel,
) -> tuple[bool, int, bool, bool, bool]:
    """Found or not, false faces; whether crop, pasted square and found face are right."""
    right = model.classes[scene.label]
    hits = [face for face in photo.faces if face.box and scene.shows(_found(face))]
    return (
        bool(hits),
        len(photo.faces) - len(hits),
        crop.faces[0].label == right,
        square.faces[0].label == right,
        bool(hits) and hits[0].label == right,
    )


def _found(face: PredictedFace) -> FoundFace:
    assert face.box is not None
    return FoundFace(face.box)


def _summary(values: npt.NDArray[np.float64]) -> dict[str, float | str]:
    found = values[values[:, 0] == 1]
    return {
        "n": len(values),
        "recall": round(float(values[:, 0].mean()), 3),
        "false_faces": int(values[:, 1].sum()),
        "accuracy_of_crops": round(float(values[:, 2].mean()), 3),
        "found_accuracy_of_crops": round(float(found[:, 2].mean()), 3),
        "found_accuracy": round(float(found[:, 4].mean()), 3),
        "found_ratio": _ratio(found[:, 4], found[:, 2]),
        "known_square_ratio": _ratio(found[:, 3], found[:, 2]),
        "accuracy_of_all": round(float(values[:, 4].mean()), 3),
    }


def _ratio(right: npt.NDArray[np.float64], of_crops: npt.NDArray[np.float64]) -> str:
    """The ratio of two accuracies on the same faces, and its standard error (delta method)."""
    ratio = right.mean() / of_crops.mean()
    error = (right - ratio * of_crops).std() / np.sqrt(len(right)) / of_crops.mean()
    return f"{ratio:.3f} +- {error:.3f}"


def bench_auto(images: Images, labels: Labels, model: ExpressionModel, count: int) -> Any:
    """What `auto` does with crops and photos: shares of pictures."""
    rng = np.random.default_rng(1)
    rows = rng.choice(len(images), count, replace=False)
    pictures: dict[str, list[Colours]] = {"48 px crops": list(images[rows])}
    for margin in (0.0, 0.1, 0.2, 0.4):
        pictures[f"224 px crops, margin {margin:g}"] = [
            face_pictures.crop_with_margin(image, margin, rng) for image in images[rows]
        ]
    photos = [np.array(face_pictures.background(rng, (640, 480))) for _ in range(count)]
    pages = [np.array(face_pictures.page_of_text(rng)) for _ in range(count // 10)]
    pictures |= {"photos without a face": photos, "pages of text": pages}
    return {
        name: _decisions(_predict(some, model, "auto"), labels[rows], model)
        for name, some in pictures.items()
    }


def _decisions(
    predicted: Sequence[PicturePrediction], labels: Labels, model: ExpressionModel
) -> dict[str, float]:
    first = [one.faces[0] if one.faces else None for one in predicted]
    right = [
        face is not None and face.label == model.classes[label]
        for face, label in zip(first, labels, strict=False)
    ]
    shares = {
        "whole picture": [face is not None and face.box is None for face in first],
        "found face": [face is not None and face.box is not None for face in first],
        "no face": [face is None for face in first],
        "right": right,
    }
    return {"n": len(predicted)} | {
        name: round(float(np.mean(values)), 3) for name, values in shares.items()
    }


def bench_unfamiliar(images: Images, not_a_face: Labels, model: ExpressionModel, count: int) -> Any:
    """AUROC against all PublicTest images, and the shares of images above some scores."""
    assert model.unfamiliarity is not None
    rng = np.random.default_rng(2)
    scores = model.unfamiliarity(images)
    others = face_pictures.non_faces(images[rng.permutation(len(images))], count, rng)
    others["FER2013, 5 or more votes for no face"] = images[not_a_face >= 5]
    result = {"PublicTest": _above(scores), "PublicTest, at most 1 vote for no face": {}}
    result["PublicTest, at most 1 vote for no face"] = _above(scores[not_a_face <= 1])
    for name, some in others.items():
        found = model.unfamiliarity(some)
        truth = np.r_[np.zeros(len(scores)), np.ones(len(found))]
        auroc = round(float(roc_auc_score(truth, np.r_[scores, found])), 3)
        result[name] = {"auroc": auroc, **_above(found)}
    return result


def _above(scores: npt.NDArray[np.float32]) -> dict[str, float]:
    shares = {f"above {level}": round(float(np.mean(scores > level)), 4) for level in _LEVELS}
    return {"n": len(scores), **shares}


def _predict(
    pictures: Sequence[Colours],
    model: ExpressionModel,
    mode: FacesMode,
    settings: FaceSettings = DEFAULT_FACES,
) -> list[PicturePrediction]:
    named = (Picture(str(number), pixels=pixels) for number, pixels in enumerate(pictures))
    return list(predict_pictures(named, model, mode, settings=settings))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=400)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--detector", choices=get_args(Detector), default="mtcnn")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fade", choices=get_args(face_pictures.Fade), default="inside")
    parser.add_argument("--tuning", action="store_true", help="use the faces for tuning")
    parser.add_argument("--only-found", action="store_true", help="only the first table")
    options = parser.parse_args()
    model = open_model(options.model)
    images, labels, not_a_face = face_pictures.public_test(options.images)
    chosen = slice(0 if options.tuning else 1, None, 2)
    pasted = list(
        face_pictures.scenes(
            images[chosen], labels[chosen], options.faces, options.seed, options.fade
        )
    )
    settings = FaceSettings(detector=options.detector)
    _show(f"faces in photos, {model.name}", bench_found(pasted, model, settings))
    if options.only_found:
        return
    _show("unfamiliarity", bench_unfamiliar(images, not_a_face, model, options.faces))
    _show("auto", bench_auto(images, labels, model, max(10, options.faces // 5)))


def _show(title: str, table: Any) -> None:
    print(f"\n{title}")
    for name, row in table.items():
        print(f"  {name}: {row}", flush=True)


if __name__ == "__main__":
    main()
