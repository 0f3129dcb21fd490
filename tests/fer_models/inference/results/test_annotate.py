"""Annotated copies: what is drawn, where, and under which names."""

import html as html_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fer_models.errors import DataError
from fer_models.faces.found import Box
from fer_models.inference.picture import Picture, PicturePrediction, PredictedFace
from fer_models.inference.results.annotate import annotation_folder, check_annotation_folder
from fer_models.inference.results.drawing import class_colour, draw_faces
from fer_models.inference.results.html import figure_html, figures_html
from fer_models.inference.results.places import inside, overlaps, places_beside

PIXELS = np.full((300, 400, 3), 90, dtype=np.uint8)
EDGE = st.integers(-50, 500)
BOX = st.tuples(EDGE, EDGE, st.integers(1, 300), st.integers(1, 300)).map(
    lambda one: (one[0], one[1], one[0] + one[2], one[1] + one[3])
)
SIZE = st.tuples(st.integers(1, 400), st.integers(1, 400))


def face(box: Box | None, label: str = "happy", confidence: float = 0.7) -> PredictedFace:
    other = "sad" if label == "happy" else "happy"
    return PredictedFace(label, confidence, {label: confidence, other: 1 - confidence}, box)


def prediction(path: str, *faces: PredictedFace, reason: str = "") -> PicturePrediction:
    return PicturePrediction(path, faces, reason)


@given(BOX, SIZE, SIZE)
def test_places_lie_in_the_picture_and_beside_the_box(box: Box, size: Box, picture: Box) -> None:
    for place in places_beside(box, size, picture):
        assert (place[2] - place[0], place[3] - place[1]) == size
        assert min(place) >= 0
        assert place[2] <= picture[0]
        assert place[3] <= picture[1]
        assert not overlaps(place, box)


@given(BOX, SIZE)
def test_what_fits_is_moved_into_the_picture(box: Box, picture: Box) -> None:
    moved = inside(box, picture)
    assert moved[2] - moved[0] == box[2] - box[0]
    for axis in (0, 1):
        assert moved[axis] >= 0
        if box[axis + 2] - box[axis] <= picture[axis]:
            assert moved[axis + 2] <= picture[axis]


def test_a_box_is_drawn_around_the_face_and_leaves_it_visible() -> None:
    found = face((100, 120, 180, 220))
    drawn = np.asarray(draw_faces(PIXELS, [found]))
    assert drawn.shape == PIXELS.shape
    for x, y in ((100, 170), (180, 170), (140, 120), (140, 220)):
        assert tuple(drawn[y, x]) == class_colour(found)
    np.testing.assert_array_equal(drawn[130:210, 110:170], PIXELS[130:210, 110:170])


def test_boxes_of_a_reduced_picture_are_scaled() -> None:
    found = face((200, 240, 360, 440))
    drawn = np.asarray(draw_faces(PIXELS, [found], scale=2.0))
    assert tuple(drawn[170, 100]) == class_colour(found)


def test_bars_of_one_face_never_cover_another() -> None:
    boxes = [(x, y, x + 90, y + 90) for x in (10, 110, 210, 300) for y in (30, 150)]
    drawn = np.asarray(draw_faces(PIXELS, [face(box) for box in boxes]))
    for left, top, right, bottom in boxes:
        inner = drawn[top + 25 : bottom - 5, left + 5 : right - 5]
        assert (inner == 90).all()


def test_bars_are_as_long_as_the_probabilities() -> None:
    lengths = []
    for confidence in (0.5, 1.0):
        found = face(None, confidence=confidence)
        drawn = np.asarray(draw_faces(np.zeros((48, 48), dtype=np.uint8), [found]))
        assert drawn.shape[1] > drawn.shape[0] >= 240
        lengths.append((drawn == class_colour(found)).all(axis=2).sum(axis=1).max())
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=2)


def test_copies_have_distinct_names_and_appear_together(tmp_path: Path) -> None:
    target = check_annotation_folder(tmp_path / "copies")
    paths = ["a/x.png", "b/x.png", "b/X.jpg", "b/x.gif", "faces.zip::c/x.png", "../..", "=1+1.png"]
    with annotation_folder(target) as copies:
        for path in paths:
            copies.add(Picture(path, pixels=PIXELS), prediction(path, face((10, 10, 90, 90))))
        unreadable = Picture("broken.png", data=b"x")
        assert copies.add(unreadable, prediction("broken.png", reason="broken")) == ""
        assert not target.exists()
        assert len(copies) == len(paths)
    names = sorted(path.name for path in target.iterdir())
    assert len({name.lower() for name in names}) == len(paths)
    assert {"x.jpg", "b-x.jpg", "c-x.jpg"} <= set(names)
    with Image.open(target / "x.jpg") as copy:
        assert copy.size == (400, 300)
    assert [path.name for path in tmp_path.iterdir()] == ["copies"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    wrong = Picture("x", pixels=np.zeros((0, 0), dtype=np.uint8))
    with (
        pytest.raises((ValueError, ZeroDivisionError)),
        annotation_folder(tmp_path / "new" / "copies") as copies,
    ):
        copies.add(wrong, prediction("x"))
    assert list(tmp_path.iterdir()) == []


def test_only_a_new_or_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "photo.jpg").write_bytes(b"the only copy")
    (tmp_path / "empty").mkdir()
    for name, part in {
        "source": "it is not empty",
        "source/photo.jpg": "it is a file",
        "source/photo.jpg/deeper": "photo.jpg is a file, not a folder",
    }.items():
        with pytest.raises(DataError, match=part):
            check_annotation_folder(tmp_path / name)
    target = check_annotation_folder(tmp_path / "empty")
    with annotation_folder(target) as copies:
        copies.add(Picture("x.png", pixels=PIXELS), prediction("x.png", reason="no face found"))
    assert [path.name for path in target.iterdir()] == ["x.jpg"]


def test_html_shows_the_picture_and_escapes_names() -> None:
    name = "<script>alert('1')</script>\x1b.png"
    found = prediction(name, face((10, 10, 90, 90), label="<b>glad</b>"))
    text = figure_html(found, lambda: Picture(name, pixels=PIXELS))
    assert 'src="data:image/jpeg;base64,' in text
    assert "<script>" not in text
    assert "<b>glad" not in text
    assert "\x1b" not in text
    assert html_module.escape("<script>alert('1')</script>") in text
    without = figure_html(prediction("a.png", reason="damaged"), None)
    assert "<img" not in without
    assert "damaged" in without


def test_html_of_many_shows_the_first_and_the_number_of_others() -> None:
    text = figures_html([(prediction(f"{i}.png"), None) for i in range(15)])
    assert text.count("<figure") == 12
    assert "and 3 more" in text
