"""The table of predictions, compared with predictions of the same pixels."""

from pathlib import Path

import numpy as np
import pytest

from fer_models.errors import DataError
from fer_models.inference.bundle import load_bundle
from fer_models.inference.faces import Pictures, find_pictures
from fer_models.inference.predict_faces import COLUMNS, predict_faces
from fer_models.labels import CLASS_NAMES
from fer_models.progress import Progress, listening
from fer_models.training.predict import Probabilities, predict_probabilities
from tests.fer_models.inference.conftest import Exported
from tests.fer_models.ingest.builders import random_images, write_folder

IMAGES = random_images(11)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Eleven faces and one file that is not an image."""
    files = {f"{i:02}.png": image for i, image in enumerate(IMAGES)}
    return find_pictures([str(write_folder(tmp_path / "faces", {**files, "05x.png": b"none"}))])


def first_pixel(images: np.ndarray) -> Probabilities:
    """Probability 1 for the class given by the first pixel."""
    return np.eye(7, dtype=np.float32)[images[:, 0, 0] % 7]


def test_predictions_are_those_of_the_decoded_pixels(
    exported: Exported, pictures: Pictures
) -> None:
    network, preprocessing, _ = load_bundle(exported.folder / "small.json")
    done = predict_faces(
        pictures,
        lambda images: predict_probabilities(network, preprocessing, images),
        preprocessing["classes"],
    )
    expected = predict_probabilities(network, preprocessing, IMAGES)
    probabilities = done.table[[f"p_{name}" for name in CLASS_NAMES]].to_numpy()
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(done.table["confidence"], probabilities.max(1))
    assert done.table["label"].tolist() == [CLASS_NAMES[k] for k in expected.argmax(1)]


def test_columns_are_in_the_order_of_the_classes(pictures: Pictures) -> None:
    table = predict_faces(pictures, first_pixel, CLASS_NAMES).table
    assert tuple(table.columns[:4]) == COLUMNS
    names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    assert tuple(table.columns[4:]) == tuple(f"p_{name}" for name in names)
    assert (table["face"] == 0).all()


@pytest.mark.parametrize("batch_size", [1, 4, 6, 12, 100])
def test_the_batch_size_changes_nothing(pictures: Pictures, batch_size: int) -> None:
    done = predict_faces(pictures, first_pixel, CLASS_NAMES, batch_size)
    assert [Path(path).stem for path in done.table["path"]] == [f"{i:02}" for i in range(11)]
    assert done.table["label"].tolist() == [CLASS_NAMES[k] for k in IMAGES[:, 0, 0] % 7]
    assert [Path(one.path).name for one in done.skipped] == ["05x.png"]


def test_counts_are_by_class(pictures: Pictures) -> None:
    done = predict_faces(pictures, first_pixel, CLASS_NAMES)
    expected = np.bincount(IMAGES[:, 0, 0] % 7, minlength=7)
    assert done.counts == dict(zip(CLASS_NAMES, expected.tolist(), strict=True))


def test_at_most_one_batch_of_images_is_predicted_at_a_time(pictures: Pictures) -> None:
    sizes = []

    def recording(images: np.ndarray) -> Probabilities:
        sizes.append(len(images))
        assert images.dtype == np.uint8
        return first_pixel(images)

    events: list[Progress] = []
    with listening(events.append):
        predict_faces(pictures, recording, CLASS_NAMES, batch_size=5)
    assert sizes == [5, 4, 2]
    assert [(one.stage, one.done, one.total) for one in events] == [
        ("predict", done, 12) for done in (0, 5, 10, 12)
    ]


def test_if_no_picture_can_be_read_the_first_reasons_are_reported(tmp_path: Path) -> None:
    write_folder(tmp_path, {f"{i:02}.png": b"none" for i in range(12)})
    with pytest.raises(DataError, match="none of the pictures") as caught:
        predict_faces(find_pictures([str(tmp_path)]), first_pixel, CLASS_NAMES)
    assert len(caught.value.problems) == 11
    assert "00.png: not a readable image" in caught.value.problems[0]
    assert caught.value.problems[-1] == "and 2 more"
