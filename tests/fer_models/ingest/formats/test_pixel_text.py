"""Pixel lists are parsed exactly, or rejected with the problem."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fer_models.ingest.formats.pixel_text import parse_pixels
from tests.fer_models.ingest.builders import pixel_text, random_images

ZEROS = ["0"] * 2304


def with_text(position: int, text: str) -> bytes:
    return " ".join([*ZEROS[:position], text, *ZEROS[position + 1 :]]).encode()


@given(st.lists(arrays(np.uint8, (48, 48)), min_size=1, max_size=4))
@settings(max_examples=50)
def test_any_image_is_restored_from_its_text(images: list[np.ndarray]) -> None:
    parsed, bad = parse_pixels([pixel_text(image).encode() for image in images])
    assert not bad
    np.testing.assert_array_equal(parsed, np.stack(images))


@given(st.integers(0, 2303), st.integers(0, 99_999))
@settings(max_examples=200)
def test_numbers_are_valid_exactly_up_to_255(position: int, value: int) -> None:
    parsed, bad = parse_pixels([with_text(position, str(value))])
    if value > 255:
        assert f"got '{value}' as pixel {position}" in bad[0]
        assert len(parsed) == 0
    else:
        assert not bad
        assert parsed.ravel()[position] == value
        assert parsed.sum() == value


def test_all_numbers_up_to_three_digits_are_classified() -> None:
    parsed, bad = parse_pixels([with_text(7, str(value)) for value in range(1000)])
    assert sorted(bad) == list(range(256, 1000))
    assert parsed[:, 0, 7].tolist() == list(range(256))


@given(st.text(alphabet="0123456789 -.xe,\t\x00é", min_size=1, max_size=5))
@settings(max_examples=200)
def test_arbitrary_text_is_valid_exactly_if_python_agrees(inserted: str) -> None:
    text = with_text(100, inserted)
    numbers = [number for number in text.decode().split(" ") if number]
    is_valid = len(numbers) == 2304 and all(
        n.isascii() and n.isdecimal() and len(n) <= 3 and int(n) <= 255 for n in numbers
    )
    _, bad = parse_pixels([text])
    assert bool(bad) == (not is_valid)


def test_rows_of_wrong_length_are_found_among_valid_ones() -> None:
    images = random_images(9)
    texts = [pixel_text(image).encode() for image in images]
    texts[2] = texts[2].rpartition(b" ")[0]
    texts[3] = texts[3] + b" 1"  # together with row 2 the number of values is correct
    texts[8] = b""
    parsed, bad = parse_pixels(texts)
    assert sorted(bad) == [2, 3, 8]
    assert "got 2303" in bad[2]
    assert "got 2305" in bad[3]
    assert "got none" in bad[8]
    np.testing.assert_array_equal(parsed, images[[0, 1, 4, 5, 6, 7]])


def test_several_blanks_between_numbers_are_accepted() -> None:
    parsed, bad = parse_pixels(["  ".join(ZEROS).encode()])
    assert not bad
    assert parsed.shape == (1, 48, 48)


def test_no_rows_give_no_images() -> None:
    parsed, bad = parse_pixels([])
    assert parsed.shape == (0, 48, 48)
    assert parsed.dtype == np.uint8
    assert not bad
