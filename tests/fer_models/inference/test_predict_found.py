"""Predictions of found pictures, compared with predictions of the same pixels."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.errors import DataError
from fer_models.inference import predict_pictures as module
from fer_models.inference.expression_model import ExpressionModel
from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture, PicturePrediction
from fer_models.inference.pictures.find import FoundPictures, find_pictures
from fer_models.inference.predict_found import predict_found
from fer_models.inference.results.table import prediction_table
from fer_models.labels import CLASS_NAMES
from fer_models.progress import Progress, listening
from fer_models.training.predict import Probabilities
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(11)


class Kept:
    """A sink that keeps what it takes."""

    def __init__(self) -> None:
        self.pictures: list[Picture] = []
        self.predictions: list[PicturePrediction] = []

    def add(self, picture: Picture, prediction: PicturePrediction) -> None:
        self.pictures.append(picture)
        self.predictions.append(prediction)


@pytest.fixture
def found(tmp_path: Path) -> FoundPictures:
    """Eleven faces and one file that is not an image."""
    files = {f"{i:02}.png": image for i, image in enumerate(IMAGES)}
    return find_pictures([str(write_folder(tmp_path / "faces", {**files, "05x.png": b"none"}))])


def first_pixel(images: np.ndarray) -> Probabilities:
    """Probability 1 for the class given by the first pixel."""
    return np.eye(7, dtype=np.float32)[images[:, 0, 0] % 7]


FIRST_PIXEL = ExpressionModel("first pixel", CLASS_NAMES, first_pixel)


def test_predictions_are_those_of_the_decoded_pixels(
    exported: Exported, found: FoundPictures
) -> None:
    model, kept = open_model(str(exported.folder / "small.json")), Kept()
    predict_found(found, model, "crop", [kept])
    table = prediction_table(kept.predictions, model.classes).dropna(subset="face")
    expected = model.predict(IMAGES)
    probabilities = table[[f"p_{name}" for name in CLASS_NAMES]].to_numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(table["confidence"], probabilities.max(1))
    assert table["label"].tolist() == [CLASS_NAMES[k] for k in expected.argmax(1)]


def test_each_picture_comes_with_its_prediction(found: FoundPictures) -> None:
    kept = Kept()
    predict_found(found, FIRST_PIXEL, "crop", [kept])
    paths = [prediction.path for prediction in kept.predictions]
    assert [picture.path for picture in kept.pictures] == paths
    assert [Path(path).name for path in paths][4:7] == ["04.png", "05.png", "05x.png"]


@pytest.mark.parametrize("batch_size", [1, 4, 6, 12, 100])
def test_the_batch_size_changes_nothing(
    found: FoundPictures, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", batch_size)
    kept = Kept()
    summary = predict_found(found, FIRST_PIXEL, "crop", [kept])
    labels = [face.label for prediction in kept.predictions for face in prediction]
    assert labels == [CLASS_NAMES[k] for k in IMAGES[:, 0, 0] % 7]
    assert [Path(one.path).name for one in summary.skipped] == ["05x.png"]


def test_the_summary_counts_faces_by_class(found: FoundPictures) -> None:
    summary = predict_found(found, FIRST_PIXEL, "crop")
    expected = np.bincount(IMAGES[:, 0, 0] % 7, minlength=7)
    assert summary.counts == dict(zip(CLASS_NAMES, expected.tolist(), strict=True))
    assert (summary.num_pictures, summary.num_faces) == (11, 11)


def test_progress_is_reported_for_every_picture(found: FoundPictures) -> None:
    events: list[Progress] = []
    with listening(events.append):
        predict_found(found, FIRST_PIXEL, "crop")
    assert [(one.stage, one.done, one.total) for one in events] == [
        ("predict", done, 12) for done in range(13)
    ]


def test_if_no_picture_can_be_read_the_first_reasons_are_reported(tmp_path: Path) -> None:
    write_folder(tmp_path, {f"{i:02}.png": b"none" for i in range(12)})
    with pytest.raises(DataError, match="none of the pictures") as caught:
        predict_found(find_pictures([str(tmp_path)]), FIRST_PIXEL)
    assert len(caught.value.problems) == 11
    assert "00.png: not a readable image" in caught.value.problems[0]
    assert caught.value.problems[-1] == "and 2 more"


def test_pictures_without_a_face_are_no_error_and_have_a_reason() -> None:
    blank = Picture("wall.png", pixels=np.full((200, 300, 3), 128, dtype=np.uint8))
    kept = Kept()
    summary = predict_found(FoundPictures((blank,)), FIRST_PIXEL, "detect", [kept])
    assert summary.num_faces == 0
    [row] = prediction_table(kept.predictions, CLASS_NAMES).to_dict("records")
    assert row["path"] == "wall.png"
    assert row["label"] == ""
    assert "no face found" in row["reason"]
