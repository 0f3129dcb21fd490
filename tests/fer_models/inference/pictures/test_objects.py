"""Pictures from Python objects and from the files of phones."""

import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from fer_models.dataset.image_format import THUMBNAIL, ImageFormat
from fer_models.errors import DataError
from fer_models.inference.picture import Picture
from fer_models.inference.pictures.decode import picture_of_bytes
from fer_models.inference.pictures.objects import picture_of

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
GREY = np.asarray(Image.fromarray(COLOURS).convert("L"))


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: GREY, GREY),
        (lambda: GREY[..., None], GREY),
        (lambda: COLOURS, COLOURS),
        (lambda: COLOURS.astype(np.int64), COLOURS),
        (lambda: COLOURS / 255, COLOURS),
        (lambda: (COLOURS / 255).astype(np.float16), COLOURS),
        (lambda: COLOURS[::-1, ::-1], COLOURS[::-1, ::-1]),
        (lambda: torch.tensor(GREY), GREY),
        (lambda: torch.tensor(GREY)[None], GREY),
        (lambda: torch.tensor(COLOURS).permute(2, 0, 1), COLOURS),
        (lambda: torch.tensor(COLOURS).permute(2, 0, 1) / 255, COLOURS),
        (lambda: torch.tensor(COLOURS / 255).permute(2, 0, 1).requires_grad_(), COLOURS),
        (lambda: Image.fromarray(COLOURS), COLOURS),
        (lambda: Image.fromarray(GREY), GREY),
    ],
)
def test_objects_have_the_pixels_that_they_show(
    make: Callable[[], Any], expected: np.ndarray
) -> None:
    picture = picture_of(make(), "x")
    assert picture.pixels is not None
    np.testing.assert_array_equal(picture.pixels, expected)
    assert picture.pixels.dtype == np.uint8


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_floats_and_tensors_round_trip(pixels: np.ndarray) -> None:
    as_tensor = torch.tensor(pixels).permute(2, 0, 1)
    for value in (pixels / 255.0, as_tensor, as_tensor.double() / 255):
        np.testing.assert_array_equal(picture_of(value, "x").pixels, pixels)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "CMYK", "YCbCr", "1", "I;16"])
def test_images_of_any_mode_are_read_as_their_files_would_be(mode: str) -> None:
    image = Image.fromarray(COLOURS)
    image = Image.fromarray(GREY.astype(np.uint16) << 8) if mode == "I;16" else image.convert(mode)
    if mode in ("RGBA", "LA"):
        image.putalpha(100)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    target = ImageFormat(40, 3, "pad")
    got = picture_of(image, "x").as_crop(target)
    expected = Picture("", data=saved(image, kind)).as_crop(target)
    np.testing.assert_allclose(np.asarray(got, dtype=int), np.asarray(expected, dtype=int), atol=1)


def test_an_image_of_pillow_is_turned_upright() -> None:
    image = Image.open(io.BytesIO(saved(Image.fromarray(COLOURS), "PNG")))
    image.getexif()[0x0112] = 6
    pixels = picture_of(image, "x").pixels
    np.testing.assert_array_equal(pixels, np.rot90(COLOURS, -1))


@pytest.mark.parametrize(("mode", "clear"), [("L", 10), ("RGB", (10, 10, 10))])
def test_a_transparent_colour_of_an_image_is_white_as_in_its_file(mode: str, clear: Any) -> None:
    values = np.full((48, 48), 200, np.uint8)
    values[24:] = 10
    image = Image.fromarray(values).convert(mode)
    data = saved(image, "PNG", transparency=clear)
    photo = Picture("", data=data).as_photo()
    assert not isinstance(photo, str)
    pixels = picture_of(Image.open(io.BytesIO(data)), "x").pixels
    np.testing.assert_array_equal(pixels, photo.pixels)
    assert pixels is not None
    assert (pixels[24:] == 255).all()


def test_an_image_of_16_bits_is_turned_upright() -> None:
    deep = Image.fromarray(GREY.astype(np.uint16) << 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(saved(deep, "PNG", exif=exif)))
    photo = picture_of(image, "x").as_photo()
    assert not isinstance(photo, str)
    np.testing.assert_array_equal(photo.pixels[..., 0], np.rot90(GREY, -1))


def test_a_tensor_of_bfloat16_has_the_pixels_that_it_shows() -> None:
    values = torch.tensor(COLOURS).permute(2, 0, 1).div(255).bfloat16()
    expected = picture_of(values.float(), "x").pixels
    np.testing.assert_array_equal(picture_of(values, "x").pixels, expected)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (3, "got int"),
        (io.BytesIO(b"image"), "got BytesIO; pass its content, file.read() of a file"),
        (
            np.zeros((8, 9, 4), np.uint8),
            "(8, 9, 4), RGBA; pass its colours alone, picture[..., :3]",
        ),
        (torch.zeros((4, 8, 9)), "RGBA; pass its colours alone, picture[:3]"),
        (None, "got NoneType"),
        (np.zeros((3, 48, 48)), "move the channels to the end, np.moveaxis(picture, 0, 2)"),
        (np.zeros((5, 48, 48)), "for several grey pictures pass a list, list(pictures)"),
        (np.zeros((2, 3, 48, 48)), "for several pictures pass a list, list(pictures)"),
        (np.zeros(48), "got the shape (48,)"),
        (np.zeros((0, 5)), "got the shape (0, 5)"),
        (np.full((4, 4), 300), "from 300 to 300"),
        (np.full((4, 4), 7.5), "floats 0..1"),
        (np.full((4, 4), -1), "from -1 to -1"),
        (np.full((4, 4), np.nan), "expected integers 0..255 or floats 0..1"),
        (np.zeros((4, 4), dtype=bool), "got bool"),
        (torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0)), "undo the normalis"),
    ],
)
def test_what_is_no_picture_is_refused_with_advice(value: Any, part: str) -> None:
    with pytest.raises(DataError) as caught:
        picture_of(value, "picture 7")
    assert str(caught.value).startswith("picture 7: expected")
    assert part in str(caught.value)


def test_the_advice_about_shapes_works() -> None:
    channels_first = np.moveaxis(COLOURS, 2, 0)
    np.testing.assert_array_equal(
        picture_of(np.moveaxis(channels_first, 0, 2), "x").pixels, COLOURS
    )
    assert len([picture_of(one, "x") for one in list(np.zeros((2, 8, 8, 3)))]) == 2
    rgba = np.dstack([COLOURS, GREY])
    np.testing.assert_array_equal(picture_of(rgba[..., :3], "x").pixels, COLOURS)
    tensor = torch.tensor(rgba).permute(2, 0, 1)
    np.testing.assert_array_equal(picture_of(tensor[:3], "x").pixels, COLOURS)


@pytest.mark.parametrize("kind", ["HEIC", "AVIF"])
def test_pictures_of_phones_are_decoded_upright(kind: str) -> None:
    smooth = Image.fromarray(COLOURS[:4, :6]).resize((96, 64), Image.Resampling.BICUBIC)
    image = smooth.rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    if kind == "HEIC":
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.register_heif_opener()
        # As a phone, the encoder records the rotation in the container, not in EXIF alone.
        image.info["exif"] = exif.tobytes()
        data = saved(image, "HEIF", quality=90)
    else:
        data = saved(image, "AVIF", quality=95, exif=exif)
    picture = picture_of_bytes("phone", data)
    assert picture.problem == ""
    assert picture.pixels is not None
    assert picture.pixels.shape == (64, 96, 3)
    difference = np.abs(picture.pixels.astype(int) - np.asarray(smooth, dtype=int))
    assert difference.mean() < 6
    assert isinstance(picture.as_crop(THUMBNAIL), np.ndarray)
    damaged = picture_of_bytes("phone", data[:200])
    assert f"not a readable {kind} picture" in damaged.problem


def test_without_its_package_heic_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    picture = picture_of_bytes("phone.heic", b"\0\0\0\x18ftypheic" + bytes(80))
    assert "pip install pillow-heif" in picture.problem
    assert picture.as_crop(THUMBNAIL) == picture.as_photo() == picture.problem
