"""Image files of every mode and size become grey 48 x 48 pixels; damaged ones a sentence."""

import io
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_models.data.sources import image_bytes as module
from fer_models.data.sources.image_bytes import decode_image
from tests.fer_models.data.builders import image_bytes, random_images

GREY = random_images(1)[0]


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> np.ndarray:
    image = decode_image(data)
    assert not isinstance(image, str), image
    assert image.dtype == np.uint8
    assert image.shape == (48, 48)
    return image


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "PPM"])
def test_a_grey_image_of_the_right_size_is_kept_bit_by_bit(kind: str) -> None:
    np.testing.assert_array_equal(decoded(image_bytes(GREY, kind)), GREY)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_any_mode_becomes_grey(mode: str) -> None:
    image = Image.new("L", (48, 48), 255).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert decoded(saved(image, kind)).min() > 250


def test_sixteen_bits_are_scaled_not_cut() -> None:
    ramp = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    np.testing.assert_array_equal(decoded(image_bytes(ramp)), (ramp >> 8).astype(np.uint8))


def test_colours_are_weighed_as_the_eye_does() -> None:
    green = Image.new("RGB", (48, 48), (0, 255, 0))
    assert abs(int(decoded(saved(green))[0, 0]) - 0.587 * 255) < 1


@pytest.mark.parametrize(("size", "kind"), [((500, 300), "PNG"), ((960, 960), "JPEG")])
def test_large_images_are_averaged_not_sampled(size: tuple[int, int], kind: str) -> None:
    columns, rows = size
    checks = ((np.indices((rows, columns)).sum(axis=0) % 2) * 255).astype(np.uint8)
    assert np.abs(decoded(image_bytes(checks, kind)).astype(float) - 127.5).max() < 12


def test_small_images_are_enlarged() -> None:
    assert (decoded(image_bytes(np.full((5, 9), 80, np.uint8))) == 80).all()


def test_photographs_are_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise to see it upright
    data = saved(Image.fromarray(GREY), "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(data), np.rot90(GREY, -1))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "0 bytes"),
        (b"not an image", "expected JPEG, PNG"),
        (image_bytes(GREY)[:200], "damaged or cut off"),
        (saved(Image.fromarray(GREY), "JPEG")[:300], "damaged or cut off"),
        (saved(Image.fromarray(GREY), "PCX"), "expected JPEG, PNG"),
        (saved(Image.new("F", (48, 48)), "TIFF"), "8 bits"),
    ],
)
def test_what_cannot_be_read_is_said_with_a_remedy(data: bytes, expected: str) -> None:
    problem = decode_image(data)
    assert isinstance(problem, str)
    assert expected in problem
    assert "replace or remove it" in problem


@given(st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]), st.data())
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore")  # Pillow warns of some of the damage, too
def test_damaged_bytes_never_raise(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(image_bytes(GREY, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, min(len(damaged), 300) - 1))] = data.draw(
            st.integers(0, 255)
        )
    del damaged[data.draw(st.integers(1, len(damaged))) :]
    outcome = decode_image(bytes(damaged))
    assert isinstance(outcome, str) or outcome.shape == (48, 48)


@pytest.mark.parametrize("side", [10_000, 60_000])  # Pillow warns of the first, refuses the other
def test_a_decompression_bomb_is_a_problem_not_a_crash(side: int) -> None:
    small = saved(Image.new("L", (1, 1)))
    header = b"IHDR" + side.to_bytes(4, "big") * 2 + small[24:29]
    bomb = small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]
    assert "far too large to be a face" in str(decode_image(bomb))


def test_the_size_limit_is_told_with_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_PIXELS", 100)
    assert "far too large to be a face (48 x 48)" in str(decode_image(image_bytes(GREY)))
