"""Image files of every mode and size become grey 48 x 48 pixels; damaged ones a message."""

import io
import threading
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fer_models.ingest.files import image_pixels as module
from fer_models.ingest.files.image_decoding import decode_image
from tests.fer_models.ingest.builders import image_bytes, random_images

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
def test_a_grey_image_of_the_right_size_is_kept_bit_for_bit(kind: str) -> None:
    np.testing.assert_array_equal(decoded(image_bytes(GREY, kind)), GREY)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"])
def test_any_mode_becomes_grey(mode: str) -> None:
    image = Image.new("L", (48, 48), 255).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    assert decoded(saved(image, kind)).min() > 250


def test_sixteen_bits_are_scaled_not_truncated() -> None:
    ramp = np.linspace(0, 65535, 48 * 48).reshape(48, 48).astype(np.uint16)
    np.testing.assert_array_equal(decoded(image_bytes(ramp)), (ramp >> 8).astype(np.uint8))


def test_colours_are_converted_by_luma() -> None:
    green = Image.new("RGB", (48, 48), (0, 255, 0))
    assert abs(int(decoded(saved(green))[0, 0]) - 0.587 * 255) < 1


@pytest.mark.parametrize(("size", "kind"), [((500, 300), "PNG"), ((960, 960), "JPEG")])
def test_large_images_are_resized_with_antialiasing(size: tuple[int, int], kind: str) -> None:
    columns, rows = size
    checks = ((np.indices((rows, columns)).sum(axis=0) % 2) * 255).astype(np.uint8)
    assert np.abs(decoded(image_bytes(checks, kind)).astype(float) - 127.5).max() < 12


def test_small_images_are_enlarged() -> None:
    assert (decoded(image_bytes(np.full((5, 9), 80, np.uint8))) == 80).all()


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # upright after a quarter turn clockwise
    data = saved(Image.fromarray(GREY), "PNG", exif=exif)
    np.testing.assert_array_equal(decoded(data), np.rot90(GREY, -1))


# -- depths, colours and transparency ------------------------------------------------------------


def png(values: np.ndarray) -> bytes:
    """A PNG file of 16 bits a channel: rows x columns x (grey, grey-alpha, colours, with alpha)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    rows, columns, channels = values.shape
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = (
        columns.to_bytes(4, "big") + rows.to_bytes(4, "big") + bytes((16, colour_type, 0, 0, 0))
    )
    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_values_of_any_depth_use_the_full_range(kind: str, bits: int) -> None:
    ramp = np.linspace(0, 2**bits - 1, 48 * 48).reshape(48, 48).astype(np.uint16)
    expected = (ramp >> (bits - 8)).astype(np.uint8)
    np.testing.assert_array_equal(decoded(image_bytes(ramp, kind)), expected)
    if kind == "TIFF":  # 32 bits a pixel, of which only some are used
        np.testing.assert_array_equal(decoded(image_bytes(ramp.astype(np.int32), kind)), expected)


def test_a_declared_depth_is_used() -> None:
    dim = np.full((48, 48), 500, ">u2")
    assert (decoded(b"P5 48 48 4095 " + dim.tobytes()) == 500 * 255 // 4095).all()


def test_more_than_sixteen_bits_are_rejected() -> None:
    values = np.full((48, 48), 1 << 20, np.int32)
    assert "at most 16 bits" in str(decode_image(image_bytes(values, "TIFF")))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_dark_sixteen_bit_colours_are_rejected(channels: int) -> None:
    bright = np.full((48, 48, channels), 65535)
    assert (decoded(png(bright)) == 255).all()
    dim = bright.copy()
    dim[..., : channels - (channels != 3)] = 4095
    assert "only low values are used" in str(decode_image(png(dim)))


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparent_images_are_composited_on_white(mode: str) -> None:
    black = Image.new("L", (48, 48)).convert(mode)
    alpha = Image.new("L", (48, 48), 255)
    black.putalpha(alpha)
    assert (decoded(saved(black)) == 0).all()
    alpha.paste(0, (0, 0, 48, 24))
    black.putalpha(alpha)
    half = decoded(saved(black))
    assert (half[:24] == 255).all()
    assert (half[24:] == 0).all()


@pytest.mark.parametrize(("mode", "key"), [("P", 0), ("L", 0), ("1", 0), ("RGB", (0, 0, 0))])
def test_a_transparent_colour_becomes_white(mode: str, key: object) -> None:
    image = Image.new("L", (48, 48), 0)
    image.paste(255, (0, 0, 48, 10))
    data = saved(image.convert(mode), transparency=key)
    assert (decoded(data) == 255).all()


def test_opaque_colours_do_not_depend_on_an_alpha_channel() -> None:
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), np.uint8))
    with_alpha = colours.convert("RGBA")
    np.testing.assert_array_equal(decoded(saved(with_alpha)), decoded(saved(colours)))


def adobe(image: Image.Image, transform: int) -> bytes:
    """A four-channel JPEG with the marker of Adobe's programs, which store inverted values."""
    data = bytearray(saved(image, "JPEG", quality=95, subsampling=0))
    marker = data.index(b"Adobe")
    data[marker + 11] = transform
    return bytes(data)


def test_cmyk_and_ycck_are_not_inverted() -> None:
    ramp = np.linspace(0, 255, 48).astype(np.uint8)[None].repeat(48, axis=0)
    colours = Image.merge("RGB", [Image.fromarray(ramp)] * 3)
    as_print = Image.merge(
        "CMYK", [*colours.point(lambda v: 255 - v).split(), Image.new("L", (48, 48))]
    )
    assert np.abs(decoded(adobe(as_print, 0)).astype(int) - ramp).max() < 12
    # YCCK holds luma and chroma of the inverted colours; Pillow inverts what it writes.
    chroma = colours.convert("YCbCr").split()
    as_ycck = Image.merge("CMYK", [*chroma, Image.new("L", (48, 48))])
    assert np.abs(decoded(adobe(as_ycck, 2)).astype(int) - ramp).max() < 12


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_of_several_frames_is_used(kind: str) -> None:
    first, second = (Image.new("L", (48, 48), value) for value in (40, 200))
    data = saved(first, kind, save_all=True, append_images=[second])
    assert np.abs(decoded(data).astype(int) - 40).max() < 5


@pytest.mark.parametrize(("size", "value"), [((1, 1), 90), ((1, 5000), 90), ((20_000, 3), 90)])
def test_extreme_sizes_are_resized(size: tuple[int, int], value: int) -> None:
    assert (decoded(saved(Image.new("L", size, value))) == value).all()


# -- unreadable images --------------------------------------------------------------------------


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
def test_unreadable_data_has_a_message_with_a_remedy(data: bytes, expected: str) -> None:
    problem = decode_image(data)
    assert isinstance(problem, str)
    assert expected in problem
    assert "replace or remove it" in problem


@given(st.sampled_from(["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM"]), st.data())
@settings(max_examples=150)
@pytest.mark.filterwarnings("ignore")  # Pillow warns about some of the damage
def test_damaged_bytes_never_raise(kind: str, data: st.DataObject) -> None:
    damaged = bytearray(image_bytes(GREY, kind))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, min(len(damaged), 300) - 1))] = data.draw(
            st.integers(0, 255)
        )
    del damaged[data.draw(st.integers(1, len(damaged))) :]
    outcome = decode_image(bytes(damaged))
    assert isinstance(outcome, str) or outcome.shape == (48, 48)


# Pillow warns about the first and rejects the second; the third fits memory, but is no face.
@pytest.mark.parametrize("size", [(10_000, 10_000), (60_000, 60_000), (100_000, 48)])
def test_a_decompression_bomb_is_rejected(size: tuple[int, int]) -> None:
    small = saved(Image.new("L", (1, 1)))
    header = b"IHDR" + b"".join(side.to_bytes(4, "big") for side in size) + small[24:29]
    bomb = small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]
    assert "far too large to be a face" in str(decode_image(bomb))


@pytest.mark.parametrize(("side", "is_valid"), [(20_000, True), (20_001, False)])
def test_the_limit_of_a_side_is_exact(side: int, is_valid: bool) -> None:
    image = decode_image(saved(Image.new("L", (side, 2))))
    assert isinstance(image, str) != is_valid


@pytest.mark.parametrize(("limit", "is_valid"), [(48 * 48, True), (48 * 48 - 1, False)])
def test_the_limit_of_pixels_is_exact(
    monkeypatch: pytest.MonkeyPatch, limit: int, is_valid: bool
) -> None:
    monkeypatch.setattr(module, "_MAX_PIXELS", limit)
    assert isinstance(decode_image(image_bytes(GREY)), str) != is_valid


def test_the_limit_of_a_file_is_exact() -> None:
    assert module.too_many_bytes(256 << 20) == ""
    assert "268,435,457 bytes" in module.too_many_bytes((256 << 20) + 1)


@pytest.mark.parametrize(("brightest", "is_valid"), [(63, False), (64, True)])
def test_sixteen_bit_colours_need_a_value_above_the_lowest_quarter(
    brightest: int, is_valid: bool
) -> None:
    outcome = decode_image(png(np.full((48, 48, 3), brightest << 8)))
    assert isinstance(outcome, str) != is_valid


@pytest.mark.parametrize(("alpha", "grey"), [(254, 1), (255, 0)])
def test_only_fully_opaque_images_keep_their_values(alpha: int, grey: int) -> None:
    black = Image.new("L", (48, 48)).convert("LA")
    black.putalpha(Image.new("L", (48, 48), alpha))
    assert (decoded(saved(black)) == grey).all()


def test_the_size_limit_message_contains_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_PIXELS", 100)
    assert "far too large to be a face (48 x 48)" in str(decode_image(image_bytes(GREY)))


def test_threads_that_decode_at_the_same_time_leave_the_warnings_as_they_were() -> None:
    first, second, ended = threading.Event(), threading.Event(), threading.Event()

    def begin_and_end_first() -> None:
        with module.quiet_decoding():
            first.set()
            assert second.wait(60)
        ended.set()

    before = list(warnings.filters)
    thread = threading.Thread(target=begin_and_end_first)
    thread.start()
    assert first.wait(60)
    with module.quiet_decoding():
        second.set()
        assert ended.wait(60)
        warnings.warn("ignored: one of the two still decodes", stacklevel=1)
    thread.join(60)
    assert warnings.filters == before
