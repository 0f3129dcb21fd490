"""Crops and photos are told apart, and what shows no face gets no answer."""

import io
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from fer_models.faces.familiarity import fit_familiarity
from fer_models.faces.found import Box, Colours, FacesMode
from fer_models.faces.settings import FaceSettings
from fer_models.inference.expression_model import ExpressionModel, Unfamiliarity
from fer_models.inference.picture import NO_FACE, UNFAMILIAR, Picture, PicturePrediction
from fer_models.inference.predict_pictures import predict_pictures
from tests.fer_models.faces.pictures import photo, synthetic_faces

WHITE = np.full((48, 48), 255, dtype=np.uint8)


@pytest.fixture(scope="module")
def unfamiliarity() -> Unfamiliarity:
    familiarity = fit_familiarity(synthetic_faces()[:500])
    assert familiarity is not None
    return familiarity.unfamiliarity


def predicted(
    pictures: Sequence[Colours], unfamiliarity: Unfamiliarity | None, mode: FacesMode = "auto"
) -> list[PicturePrediction]:
    model = ExpressionModel(
        "any",
        ("sad", "happy"),
        lambda images: np.tile(np.float32([0.2, 0.8]), (len(images), 1)),
        unfamiliarity=unfamiliarity,
    )
    named = [Picture(str(number), pixels=pixels) for number, pixels in enumerate(pictures)]
    return list(predict_pictures(named, model, mode))


def test_a_thumbnail_is_a_crop(unfamiliarity: Unfamiliarity) -> None:
    [one] = predicted([synthetic_faces()[1]], unfamiliarity)
    assert [face.box for face in one.faces] == [None]
    assert one.faces[0].unfamiliarity is not None


def test_faces_of_a_photo_have_boxes_points_and_scores(unfamiliarity: Unfamiliarity) -> None:
    [one] = predicted([photo((20, 40, 160), (240, 30, 110))], unfamiliarity)
    assert len(one.faces) == 2
    for face in one.faces:
        assert face.box is not None
        assert len(face.landmarks) == 5
        assert face.detection_score is not None


def test_a_large_crop_is_one_face(unfamiliarity: Unfamiliarity) -> None:
    faces = synthetic_faces()[1:11]
    crops = [np.asarray(Image.fromarray(face).resize((200, 200))) for face in faces]
    boxes = [[face.box for face in one.faces] for one in predicted(crops, unfamiliarity)]
    assert boxes.count([None]) >= 7


@pytest.mark.parametrize(
    ("picture", "reason"),
    [(WHITE, UNFAMILIAR), (np.full((200, 200, 3), 255, np.uint8), NO_FACE), (photo(), NO_FACE)],
    ids=["small white", "white", "photo without a face"],
)
def test_what_shows_no_face_gets_a_reason(
    unfamiliarity: Unfamiliarity, picture: Colours, reason: str
) -> None:
    [one] = predicted([picture], unfamiliarity)
    assert (one.faces, one.reason) == ((), reason)
    assert "--faces crop" in reason


def test_the_advice_to_use_crop_gives_an_answer(unfamiliarity: Unfamiliarity) -> None:
    [one] = predicted([WHITE], unfamiliarity, "crop")
    assert one.faces[0].label == "happy"
    assert one.faces[0].unfamiliarity == pytest.approx(1.0, abs=0.01)


def test_a_model_that_knows_no_faces_answers(unfamiliarity: Unfamiliarity) -> None:
    def unknown(images: np.ndarray) -> np.ndarray:
        return np.full(len(images), np.nan, dtype=np.float32)

    for scores in (None, unknown):
        [one] = predicted([WHITE], scores)
        assert one.faces[0].unfamiliarity is None


def test_only_images_with_an_answer_reach_the_model(unfamiliarity: Unfamiliarity) -> None:
    faces = synthetic_faces()[:3]
    results = predicted([faces[0], WHITE, faces[1], WHITE, faces[2]], unfamiliarity)
    assert [len(one.faces) for one in results] == [1, 0, 1, 0, 1]


def test_the_smallest_face_is_in_pixels_of_the_original_picture() -> None:
    original = Image.fromarray(photo((20, 40, 160))).resize((4320, 2880), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    original.save(stream, "JPEG")  # decoded at half its size
    model = ExpressionModel(
        "any", ("sad", "happy"), lambda images: np.ones((len(images), 2), np.float32) / 2
    )
    large = Picture("large.jpg", data=stream.getvalue())

    def boxes(min_size_px: int) -> list[Box | None]:
        search = FaceSettings(min_size_px=min_size_px)
        [one] = predict_pictures([large], model, "detect", settings=search)
        return [face.box for face in one.faces]

    [box] = boxes(32)
    assert box is not None
    longer_side = max(box[2] - box[0], box[3] - box[1])
    assert longer_side > 1000
    assert len(boxes(3 * longer_side // 4)) == 1
    assert boxes(5 * longer_side // 4) == []


@pytest.mark.slow
def test_a_jpeg_photo_beyond_the_limit_of_other_files_is_read() -> None:
    large = Image.fromarray(photo((20, 40, 160))).resize((10_800, 7_500), Image.Resampling.NEAREST)
    for kind, num_faces in (("JPEG", 1), ("PNG", 0)):
        stream = io.BytesIO()
        large.save(stream, kind, **({"compress_level": 1} if kind == "PNG" else {}))
        model = ExpressionModel(
            "any", ("sad", "happy"), lambda images: np.ones((len(images), 2), np.float32) / 2
        )
        [one] = predict_pictures([Picture(kind, data=stream.getvalue())], model)
        assert len(one.faces) == num_faces
    assert "far too large" in one.reason
    assert one.reason.endswith("replace or remove it")
