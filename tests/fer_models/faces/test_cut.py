"""Faces are cut upright and square, as FER2013 shows them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.faces.cut import cut_face, face_frame
from fer_models.faces.found import FoundFace
from tests.fer_models.faces.pictures import synthetic_faces

# Of an upright face with a box from 0 to 100.
POINTS = np.array([[31.5, 39.3], [68.5, 39.3], [50, 60.3], [34.5, 77.5], [65.5, 77.5]])


def turned(angle_deg: float, scale: float, shift: tuple[float, float]) -> FoundFace:
    """A face whose landmarks and box are turned (clockwise), scaled and shifted."""
    angle = np.deg2rad(angle_deg)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    points = (POINTS - 50) @ turn * scale + shift
    left, top = (round(one - 50 * scale) for one in shift)
    side = round(100 * scale)
    box = (left, top, left + side, top + side)
    return FoundFace(box, tuple((float(x), float(y)) for x, y in points))


@given(
    st.floats(-40, 40),
    st.floats(0.5, 4),
    st.tuples(st.floats(100, 400), st.floats(100, 400)),
)
def test_the_frame_turns_and_grows_with_the_face(
    angle_deg: float, scale: float, shift: tuple[float, float]
) -> None:
    frame = face_frame(turned(angle_deg, scale, shift))
    assert np.rad2deg(frame.angle_rad) == pytest.approx(angle_deg, abs=0.01)
    assert frame.side == pytest.approx(90 * scale, rel=0.02)
    np.testing.assert_allclose(frame.centre, shift, atol=1.5)


@settings(deadline=None, max_examples=5)
@given(st.integers(-30, 30))
def test_a_turned_face_is_cut_as_an_upright_one(angle_deg: int) -> None:
    face = Image.fromarray(synthetic_faces()[0]).resize((200, 200), Image.Resampling.BICUBIC)
    upright = Image.new("L", (400, 400), 120)
    upright.paste(face, (100, 100))
    rotated = upright.rotate(-angle_deg, Image.Resampling.BICUBIC, fillcolor=120)
    cuts = [
        cut_face(np.array(picture.convert("RGB")), turned(angle, 2, (200, 200)), THUMBNAIL)
        for picture, angle in ((upright, 0), (rotated, angle_deg))
    ]
    assert np.abs(cuts[0].astype(int) - cuts[1]).mean() < 3


def test_an_upright_face_is_cut_as_pillow_crops_it() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    large = Image.fromarray(picture).resize((400, 400), Image.Resampling.BICUBIC)
    expected = (
        large.convert("L").crop((110, 110, 290, 290)).resize((48, 48), Image.Resampling.LANCZOS)
    )
    got = cut_face(np.array(large), turned(0, 2, (200, 200)), THUMBNAIL)
    assert np.abs(got.astype(int) - np.asarray(expected)).mean() < 2


def test_a_face_at_the_edge_has_no_black_border() -> None:
    picture = np.full((100, 100, 3), 180, dtype=np.uint8)
    cut = cut_face(picture, turned(10, 1, (5, 95)), ImageFormat(64, 3))
    assert cut.shape == (64, 64, 3)
    assert (cut == 180).all()


def test_a_face_without_landmarks_is_cut_by_its_box() -> None:
    frame = face_frame(FoundFace((10, 20, 50, 80)))
    assert (frame.centre.tolist(), frame.side, frame.angle_rad) == ([30, 50], 54, 0)
