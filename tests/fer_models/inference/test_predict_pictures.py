"""Predictions for pictures from any place: one result a picture, in order."""

import io

import numpy as np
from PIL import Image

from fer_models.inference.open_model import open_model
from fer_models.inference.picture import Picture
from fer_models.inference.predict_pictures import predict_pictures
from tests.fer_models.ingest.builders import random_images

IMAGES = random_images(5)


def encoded(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def test_files_and_pixels_get_the_probabilities_of_the_model() -> None:
    model = open_model("bundled:face_cnn")
    pictures = [
        Picture(f"{number}", data=encoded(image)) if number % 2 else Picture("", pixels=image)
        for number, image in enumerate(IMAGES)
    ]
    predicted = list(predict_pictures(pictures, model, faces="crop", batch_size=2))
    got = [list(one.faces[0].probabilities.values()) for one in predicted]
    np.testing.assert_allclose(got, model.predict(IMAGES), atol=1e-6)
    assert [one.path for one in predicted] == ["", "1", "", "3", ""]


def test_a_picture_that_cannot_be_read_has_a_reason_and_no_face() -> None:
    model = open_model("bundled:face_cnn")
    pictures = [Picture("broken.png", data=b"no image"), Picture("good", pixels=IMAGES[0])]
    broken, good = predict_pictures(pictures, model, faces="crop")
    assert (broken.path, broken.faces) == ("broken.png", ())
    assert "expected JPEG" in broken.reason
    assert len(good.faces) == 1
    assert good.reason == ""
    assert good.as_dict()["faces"][0]["label"] in model.classes


def test_pixels_in_colour_are_predicted_as_their_file_would_be() -> None:
    model = open_model("bundled:face_cnn")
    colours = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    from_pixels, from_file = predict_pictures(
        [Picture("", pixels=colours), Picture("", data=encoded(colours))], model, faces="crop"
    )
    assert from_pixels.faces == from_file.faces
